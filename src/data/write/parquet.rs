//! Copies of Parquet shards: a shard without a change is copied byte for byte; in another all columns, the schema and
//! its metadata are kept, only cells of the picture column and whole rows change. The column `path` is not touched.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, LargeBinaryArray, RecordBatch,
    StructArray,
};
use arrow_schema::{ArrowError, DataType};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

use super::{Copier, Edit};
use crate::data::encode::encode_png_like;
use crate::data::read::{BYTES, Parquet, Shard, bytes_of, encoded};
use crate::{Error, Result};

pub(in crate::data) fn parquet(source: &Parquet, copy: &mut Copier<'_>) -> Result<()> {
    for shard in source.shards() {
        let path = copy.path(&shard.id)?;
        if !write_shard(shard, &path, copy)? {
            fs::copy(&shard.path, &path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Whether any row was dropped or replaced.
fn write_shard(shard: &Shard, path: &Path, copy: &mut Copier<'_>) -> Result<bool> {
    let failed = |error: ParquetError| Error::io(path)(std::io::Error::other(error));
    let file = File::create(path).map_err(Error::io(path))?;
    let properties = Some(properties_of(shard.metadata()));
    let mut writer = ArrowWriter::try_new(file, shard.schema(), properties).map_err(failed)?;
    let (mut changed, mut kept) = (false, 0);
    for batch in shard.batches(None)? {
        let batch = batch?;
        let mut stays = Vec::with_capacity(batch.num_rows());
        let mut replaced = Vec::with_capacity(batch.num_rows());
        let pictures = encoded(batch.column(shard.image));
        for row in 0..batch.num_rows() {
            let edit = copy.next_edit()?;
            changed |= edit != Edit::Keep;
            let stay = edit != Edit::Drop;
            copy.placed(stay.then(|| format!("{}#{kept}", shard.id)));
            kept += usize::from(stay);
            stays.push(stay);
            replaced.push(match edit {
                Edit::Replace(image) => {
                    let original = pictures.and_then(|cells| bytes_of(cells, row));
                    Some(encode_png_like(
                        || Ok(original.unwrap_or_default()),
                        &image,
                    )?)
                }
                Edit::Keep | Edit::Drop => None,
            });
        }
        let edited = with_pictures(&batch, shard.image, &replaced)
            .and_then(|batch| filter_record_batch(&batch, &BooleanArray::from(stays)))
            .map_err(|error| failed(error.into()))?;
        writer.write(&edited).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(changed)
}

/// Row-group size, metadata, compression and dictionaries as in the source.
fn properties_of(source: &ParquetMetaData) -> WriterProperties {
    let entries = source
        .file_metadata()
        .key_value_metadata()
        .cloned()
        .unwrap_or_default();
    let entries = entries
        .into_iter()
        .filter(|entry| entry.key != ARROW_SCHEMA_META_KEY)
        .collect();
    let rows = source
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .max();
    let rows = rows
        .and_then(|rows| usize::try_from(rows).ok())
        .filter(|&rows| rows > 0);
    let mut properties = WriterProperties::builder()
        .set_key_value_metadata(Some(entries))
        .set_max_row_group_row_count(rows);
    for column in source
        .row_groups()
        .first()
        .map_or(&[][..], |group| group.columns())
    {
        let path = column.column_path();
        let dictionary = column.dictionary_page_offset().is_some();
        properties = properties
            .set_column_compression(path.clone(), column.compression())
            .set_column_dictionary_enabled(path.clone(), dictionary);
    }
    properties.build()
}

/// The batch with new bytes in the picture column where there are any.
fn with_pictures(
    batch: &RecordBatch,
    image: usize,
    replaced: &[Option<Vec<u8>>],
) -> Result<RecordBatch, ArrowError> {
    if replaced.iter().all(Option::is_none) {
        return Ok(batch.clone());
    }
    let mut columns = batch.columns().to_vec();
    columns[image] = match columns[image].as_struct_opt() {
        Some(cells) => with_bytes(cells, replaced)?,
        None => binary(&columns[image], replaced),
    };
    RecordBatch::try_new(batch.schema(), columns)
}

/// The struct column with new bytes; a null cell that gets bytes is null no more.
fn with_bytes(cells: &StructArray, replaced: &[Option<Vec<u8>>]) -> Result<ArrayRef, ArrowError> {
    let mut fields = cells.columns().to_vec();
    for (field, column) in cells.fields().iter().zip(&mut fields) {
        if field.name() == BYTES {
            *column = binary(column, replaced);
        }
    }
    let nulls = cells.nulls().map(|nulls| {
        let valid = nulls.iter().zip(replaced);
        Vec::from_iter(valid.map(|(valid, new)| valid || new.is_some())).into()
    });
    Ok(Arc::new(StructArray::try_new(
        cells.fields().clone(),
        fields,
        nulls,
    )?))
}

/// A binary column of the same type with new bytes.
fn binary(column: &ArrayRef, replaced: &[Option<Vec<u8>>]) -> ArrayRef {
    let cells = replaced
        .iter()
        .enumerate()
        .map(|(row, new)| new.as_deref().or_else(|| bytes_of(column, row)));
    match column.data_type() {
        DataType::LargeBinary => Arc::new(LargeBinaryArray::from_iter(cells)),
        DataType::BinaryView => Arc::new(BinaryViewArray::from_iter(cells)),
        _ => Arc::new(BinaryArray::from_iter(cells)),
    }
}
