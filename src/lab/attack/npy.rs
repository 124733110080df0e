//! Perturbations in NumPy's `.npy` format, as the papers' authors release them.

use npyz::{NpyFile, Order, TypeChar};

use super::{Budget, Perturbation, Stored};

/// A level of an 8-bit pixel, in [0, 1] pixel units.
const LEVEL: f32 = 1.0 / 255.0;

/// Row `k` of the array is for row `k` of the source.
pub(super) fn read(bytes: &[u8]) -> Result<Stored, String> {
    let file = NpyFile::new(bytes).map_err(|error| error.to_string())?;
    let shape: Vec<usize> = file.shape().iter().map(|&side| side as usize).collect();
    let (rows, height, width, channels_last) = match shape[..] {
        [rows, height, width, 3] => (rows, height, width, true),
        [rows, 3, height, width] => (rows, height, width, false),
        _ => {
            return Err(format!(
                "shape {shape:?}: [rows, height, width, 3] or [rows, 3, height, width] is needed"
            ));
        }
    };
    if file.order() != Order::C {
        return Err("the array is in Fortran order; save it as np.ascontiguousarray(a)".into());
    }
    let dtype = file.dtype();
    let kind = match &dtype {
        npyz::DType::Plain(kind) => (kind.type_char(), kind.size_field()),
        _ => return Err("a structured array".into()),
    };
    let words = |error: std::io::Error| error.to_string();
    let values: Vec<f32> = match kind {
        (TypeChar::Float, 4) => file.into_vec().map_err(words)?,
        (TypeChar::Float, 8) => {
            let values: Vec<f64> = file.into_vec().map_err(words)?;
            values.into_iter().map(|value| value as f32).collect()
        }
        (TypeChar::Int, 1) => {
            let levels: Vec<i8> = file.into_vec().map_err(words)?;
            levels
                .into_iter()
                .map(|level| f32::from(level) * LEVEL)
                .collect()
        }
        _ => return Err(format!("{}: f4, f8 or i1 is needed", dtype.descr())),
    };
    let values = match channels_last {
        true => values,
        false => interleaved(&values, height * width),
    };
    Ok(Stored {
        rows: (0..rows).collect(),
        perturbation: Perturbation {
            height,
            width,
            values,
            converged: true,
        },
        budget: Budget::ANY,
        fingerprint: String::new(),
    })
}

/// Planes of each picture, `pixels` values each, as pixels of three colours.
fn interleaved(values: &[f32], pixels: usize) -> Vec<f32> {
    let pictures = values.chunks_exact((3 * pixels).max(1));
    pictures
        .flat_map(|planes| {
            (0..pixels).flat_map(move |at| [0, 1, 2].map(|colour| planes[colour * pixels + at]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The bytes that `np.save` writes, format 1.0.
    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let padding = 64 - (10 + header.len() + 1) % 64;
        header.push_str(&" ".repeat(padding % 64));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn both_layouts_and_all_kinds_are_read() {
        // One picture of 1 x 2: colours 1, 2, 3 at the left, 4, 5, 6 at the right.
        let expected: Vec<f32> = [1, 2, 3, 4, 5, -6].map(|v| v as f32 / 255.0).to_vec();
        let last = [1i8, 2, 3, 4, 5, -6].map(|v| v as u8);
        let first = [1i8, 4, 2, 5, 3, -6].map(|v| v as u8);
        let reals = |values: [i8; 6]| values.map(|v| f64::from(v) / 255.0);
        let singles: Vec<u8> = reals([1, 2, 3, 4, 5, -6])
            .iter()
            .flat_map(|v| (*v as f32).to_le_bytes())
            .collect();
        let doubles: Vec<u8> = reals([1, 4, 2, 5, 3, -6])
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        for bytes in [
            npy("|i1", "(1, 1, 2, 3)", &last),
            npy("|i1", "(1, 3, 1, 2)", &first),
            npy("<f4", "(1, 1, 2, 3)", &singles),
            npy("<f8", "(1, 3, 1, 2)", &doubles),
        ] {
            let stored = read(&bytes).unwrap();
            let found = &stored.perturbation;
            assert_eq!((found.height, found.width), (1, 2));
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-7;
            assert!(found.values.iter().zip(&expected).all(close), "{found:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bytes in [
            npy("|i1", "(2, 3)", &[0; 6]),
            npy("<i4", "(1, 1, 2, 3)", &[0; 24]),
            npy("|i1", "(1, 1, 2, 3)", &[0; 5]),
            b"nothing".to_vec(),
        ] {
            assert!(read(&bytes).is_err());
        }
    }
}
