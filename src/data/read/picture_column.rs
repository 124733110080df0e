//! Which Parquet column holds the pictures, and the bytes in its cells.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Schema};

use super::Source;
use super::label_column::Features;
use crate::data::reason::Defect;

/// The field of a picture struct that holds the encoded bytes.
pub(in crate::data) const BYTES: &str = "bytes";

/// The only column that the metadata calls a picture, or the only struct with `bytes`, or the only binary column; among
/// several the one called `image` or `img`.
pub(super) fn choose(schema: &Schema, features: &Features) -> Option<usize> {
    let is_struct = |kind: &DataType| match kind {
        DataType::Struct(fields) => fields
            .iter()
            .any(|field| field.name() == BYTES && field.data_type().is_binary()),
        _ => false,
    };
    let fields = || schema.fields().iter().enumerate();
    let only = |fits: &dyn Fn(&str, &DataType) -> bool| {
        let found: Vec<_> = fields()
            .filter(|(_, field)| fits(field.name(), field.data_type()))
            .collect();
        match found[..] {
            [(index, _)] => Some(index),
            _ => found
                .iter()
                .find(|(_, field)| matches!(field.name().as_str(), "image" | "img"))
                .map(|&(index, _)| index),
        }
    };
    only(&|name, kind| features.is(name, "Image") && (is_struct(kind) || kind.is_binary()))
        .or_else(|| only(&|_, kind| is_struct(kind)))
        .or_else(|| only(&|_, kind| kind.is_binary()))
}

/// The binary cells of a picture column: the column itself or the field `bytes` of its structs.
pub(in crate::data) fn encoded(column: &ArrayRef) -> Option<&ArrayRef> {
    match column.as_struct_opt() {
        Some(cells) => cells.column_by_name(BYTES),
        None => Some(column),
    }
}

/// The bytes of cell `row` of a binary column of any width; `None` if null.
pub(in crate::data) fn bytes_of(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Binary => Some(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Some(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => Some(column.as_binary_view().value(row)),
        _ => None,
    }
}

/// Where the pixels of each cell are.
pub(super) fn sources(column: &ArrayRef) -> Vec<Source> {
    let cell = |row: usize| {
        let bytes = if column.is_null(row) {
            None
        } else {
            encoded(column).and_then(|cells| bytes_of(cells, row))
        };
        match bytes {
            Some(bytes) => Source::Encoded(bytes.to_vec()),
            None => Source::Bad(
                Defect::Missing.because("the cell holds no bytes; outside files are not read"),
            ),
        }
    };
    (0..column.len()).map(cell).collect()
}
