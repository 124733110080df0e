//! Which Parquet column holds the labels, and what its cells mean.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Schema};

use crate::data::reason::{Defect, Reason};

/// Names of label columns, most telling first. Where there are fine and coarse labels, the fine ones are the classes.
const NAMES: [&str; 9] = [
    "label",
    "labels",
    "fine_label",
    "class",
    "class_label",
    "target",
    "category",
    "y",
    "coarse_label",
];

/// What the `huggingface` entry of the schema metadata says of the columns.
pub(super) struct Features(serde_json::Value);

impl Features {
    pub(super) fn of(schema: &Schema) -> Self {
        let text = schema.metadata.get("huggingface");
        let value = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        Self(
            value
                .map(|mut value| value["info"]["features"].take())
                .unwrap_or_default(),
        )
    }

    /// Whether the column has this `_type`.
    pub(super) fn is(&self, column: &str, kind: &str) -> bool {
        self.0[column]["_type"] == kind
    }

    /// The class names of the column, if it is a class label with names.
    fn names(&self, column: &str) -> Option<Vec<String>> {
        let names = self.0[column]["names"].as_array()?;
        names
            .iter()
            .map(|name| name.as_str().map(Into::into))
            .collect()
    }
}

/// The column chosen for the labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LabelColumn {
    pub(super) index: usize,
    pub(super) name: String,
    /// The declared class names; without them the distinct values are the classes.
    pub(super) names: Option<Vec<String>>,
}

/// The class-label column if the metadata declares one, else an integer, else a text column with a telling name.
pub(super) fn choose(schema: &Schema, features: &Features) -> Option<LabelColumn> {
    let rank = |name: &str| {
        let name = name.to_ascii_lowercase();
        NAMES.iter().position(|&known| known == name)
    };
    let best = |fits: &dyn Fn(&str, &DataType) -> bool| {
        let columns = schema.fields().iter().enumerate();
        columns
            .filter(|(_, field)| fits(field.name(), field.data_type()))
            .min_by_key(|(index, field)| (rank(field.name()).unwrap_or(NAMES.len()), *index))
    };
    let (index, field) = best(&|name, kind| features.is(name, "ClassLabel") && kind.is_integer())
        .or_else(|| best(&|name, kind| rank(name).is_some() && kind.is_integer()))
        .or_else(|| best(&|name, kind| rank(name).is_some() && is_text(kind)))?;
    let name = field.name().clone();
    let names = if features.is(&name, "ClassLabel") {
        features.names(&name)
    } else {
        None
    };
    Some(LabelColumn { index, name, names })
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_text(values),
        kind => kind.is_string(),
    }
}

/// One cell of a label column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Number(i128),
    Text(String),
}

/// The cells of a label column of any integer or text type; `None` for another type.
pub(super) fn values(column: &ArrayRef) -> Option<Vec<Value>> {
    macro_rules! numbers {
        ($kind:ty) => {
            column
                .as_primitive::<$kind>()
                .iter()
                .map(|cell| cell.map_or(Value::Null, |number| Value::Number(number.into())))
                .collect()
        };
    }
    fn texts<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> Vec<Value> {
        cells
            .map(|cell| cell.map_or(Value::Null, |text| Value::Text(text.into())))
            .collect()
    }
    Some(match column.data_type() {
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Utf8 => texts(column.as_string::<i32>().iter()),
        DataType::LargeUtf8 => texts(column.as_string::<i64>().iter()),
        DataType::Utf8View => texts(column.as_string_view().iter()),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary_opt()?;
            let words = values(dictionary.values())?;
            let keys = dictionary.normalized_keys();
            let cell = |row: usize| match dictionary.keys().is_null(row) {
                true => Value::Null,
                false => words.get(keys[row]).cloned().unwrap_or(Value::Null),
            };
            (0..column.len()).map(cell).collect()
        }
        _ => return None,
    })
}

/// The class names and the label of each cell; a cell without a class has the reason.
pub(super) fn labels(
    cells: &[Value],
    declared: Option<&[String]>,
) -> (Vec<String>, Vec<Result<u32, Reason>>) {
    let is_class = |cell: &&Value| !matches!(cell, Value::Null | Value::Number(i128::MIN..0));
    let distinct: BTreeSet<&Value> = match declared {
        Some(_) => BTreeSet::new(),
        None => cells.iter().filter(is_class).collect(),
    };
    let order = Vec::from_iter(distinct);
    let names: Vec<String> = match declared {
        Some(names) => names.to_vec(),
        None => order.iter().map(|value| value.to_string()).collect(),
    };
    let label = |cell: &Value| match (cell, declared) {
        (Value::Number(number), Some(names)) => usize::try_from(*number)
            .ok()
            .filter(|&label| label < names.len())
            .ok_or_else(|| format!("{number} is outside 0..{}", names.len())),
        (Value::Null, _) => Err("null".into()),
        _ => order
            .binary_search(&cell)
            .map_err(|_| format!("{cell} is no class")),
    };
    let of = |cell| {
        label(cell)
            .map(|label| label as u32)
            .map_err(|detail| Defect::BadLabel.because(detail))
    };
    (names, cells.iter().map(of).collect())
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}
