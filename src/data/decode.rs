//! From encoded bytes to [`Image`], under [`Limits`] and a panic guard.
//!
//! The format is told by content, never by file name. Every picture becomes 8-bit RGB: grey is replicated, palettes are
//! expanded, alpha is dropped without blending and 16-bit samples are rounded, as training loaders do that ask for RGB.
//! EXIF orientation is not applied: the pixels are judged as stored. Of an animation the first frame counts.

use std::error::Error as _;
use std::io::{self, Cursor};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::guard::catch_panic;
use super::reason::{Defect, Reason};
use super::{Image, Limits};

/// Decodes a PNG, JPEG, BMP or WebP picture.
///
/// # Errors
/// The reason for which the bytes give no picture. Never panics, whatever the bytes.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, Reason> {
    if bytes.is_empty() {
        return Err(Defect::Empty.because("no bytes"));
    }
    if bytes.len() as u64 > limits.max_encoded_bytes {
        return Err(too_many_bytes(bytes.len() as u64, limits));
    }
    let format = image::guess_format(bytes)
        .map_err(|_| Defect::NotAnImage.because("the content is of no known picture format"))?;
    catch_panic(|| match format {
        ImageFormat::Jpeg => decode_jpeg(bytes, limits),
        ImageFormat::Png | ImageFormat::Bmp | ImageFormat::WebP => {
            decode_lossless(bytes, format, limits)
        }
        other => Err(Defect::Unsupported.because(format!("{other:?} pictures are not read"))),
    })
    .unwrap_or_else(|message| Err(Defect::DecodePanic.because(message)))
}

/// The reason for a picture above [`Limits::max_encoded_bytes`].
pub(super) fn too_many_bytes(bytes: u64, limits: &Limits) -> Reason {
    Defect::TooLarge.because(format!(
        "{bytes} bytes; at most {} are read",
        limits.max_encoded_bytes
    ))
}

/// Whether a picture is stored with one channel beside alpha; `false` where that cannot be told.
pub(super) fn is_stored_in_grey(bytes: &[u8]) -> bool {
    let grey = || match image::guess_format(bytes).ok()? {
        ImageFormat::Jpeg => {
            let mut decoder = JpegDecoder::new(ZCursor::new(bytes));
            decoder.decode_headers().ok()?;
            Some(decoder.input_colorspace()? == ColorSpace::Luma)
        }
        format => {
            let reader = ImageReader::with_format(Cursor::new(bytes), format);
            Some(!reader.into_decoder().ok()?.color_type().has_color())
        }
    };
    matches!(catch_panic(grey), Ok(Some(true)))
}

fn decode_lossless(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Image, Reason> {
    if format == ImageFormat::WebP && !has_declared_length(bytes) {
        return Err(Defect::Truncated.because("WebP shorter than its header says"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut caps = image::Limits::default();
    // Two 16-bit RGBA copies: what a decoder may hold of a picture that is within bounds.
    caps.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    reader.limits(caps);
    let decoder = reader.into_decoder().map_err(reason_of_image)?;
    let (width, height) = decoder.dimensions();
    if let Some(problem) = limits.refuse(height.into(), width.into()) {
        return Err(Defect::TooLarge.because(problem));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(reason_of_image)?;
    image_of(
        height as usize,
        width as usize,
        picture.into_rgb8().into_raw(),
    )
}

/// Whether a RIFF file has the bytes that its header promises, behind the tag and the length itself. The decoder takes
/// a cut for damage, or does not notice one in the last few bytes.
fn has_declared_length(bytes: &[u8]) -> bool {
    let declared = bytes.get(4..8).and_then(|length| length.try_into().ok());
    declared.is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(u32::from_le_bytes(length)))
}

/// Strict mode: the lenient one paints what is missing of a truncated file and reports success.
fn decode_jpeg(bytes: &[u8], limits: &Limits) -> Result<Image, Reason> {
    let options = DecoderOptions::new_safe()
        .set_strict_mode(true)
        .set_max_width(limits.max_width as usize)
        .set_max_height(limits.max_height as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(reason_of_jpeg)?;
    let (width, height) = decoder
        .dimensions()
        .ok_or_else(|| Defect::Corrupt.because("JPEG without dimensions"))?;
    if let Some(problem) = limits.refuse(height as u64, width as u64) {
        return Err(Defect::TooLarge.because(problem));
    }
    let rgb = decoder.decode().map_err(reason_of_jpeg)?;
    // Strict mode looks for the end once a row of blocks, so it misses a cut within the last row.
    if !has_end_of_image(bytes) {
        return Err(Defect::Truncated.because("JPEG without its end marker"));
    }
    image_of(height, width, rgb)
}

/// Whether an end marker follows the last start of scan: within a scan 0xFF is always stuffed, so this is the marker.
fn has_end_of_image(bytes: &[u8]) -> bool {
    let marker = |pair: &[u8]| [pair[0], pair[1]];
    let last = |wanted| bytes.windows(2).rposition(|pair| marker(pair) == wanted);
    match (last([0xFF, 0xDA]), last([0xFF, 0xD9])) {
        (Some(scan), Some(end)) => scan < end,
        _ => false,
    }
}

fn image_of(height: usize, width: usize, rgb: Vec<u8>) -> Result<Image, Reason> {
    if height * width == 0 || rgb.len() != height * width * 3 {
        return Err(
            Defect::Corrupt.because(format!("{} bytes for {width} x {height} pixels", rgb.len()))
        );
    }
    Ok(Image { height, width, rgb })
}

fn reason_of_image(error: ImageError) -> Reason {
    match &error {
        ImageError::Limits(_) => Defect::TooLarge.because(error),
        ImageError::Unsupported(_) => Defect::Unsupported.because(error),
        _ if ends_early(&error) => Defect::Truncated.because(error),
        _ => Defect::Corrupt.because(error),
    }
}

/// Whether an unexpected end of the bytes is anywhere among the causes.
fn ends_early(error: &ImageError) -> bool {
    let ended = |cause: &io::Error| cause.kind() == io::ErrorKind::UnexpectedEof;
    if let ImageError::IoError(cause) = error {
        return ended(cause);
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(ended) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn reason_of_jpeg(error: DecodeErrors) -> Reason {
    match &error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => {
            Defect::Truncated.because("JPEG ends early")
        }
        DecodeErrors::FormatStatic(text) if text.contains("Premature end") => {
            Defect::Truncated.because("JPEG ends early")
        }
        DecodeErrors::LargeDimensions(_) => Defect::TooLarge.because(error),
        DecodeErrors::Unsupported(_) => Defect::Unsupported.because(error),
        _ => Defect::Corrupt.because(error),
    }
}
