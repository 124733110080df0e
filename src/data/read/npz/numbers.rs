//! The numbers of an array's rows.

use super::member::{Kind, Member};

/// The numbers in a row's bytes; `None` where they are none that is read, such as halves or text.
pub(super) fn numbers(member: &Member, row: &[u8]) -> Option<Vec<f64>> {
    let read: fn(&[u8; 8]) -> f64 = match (member.kind, member.width) {
        (Kind::Bool | Kind::Uint, 1) => |b| f64::from(b[0]),
        (Kind::Uint, 2) => |b| f64::from(u16::from_le_bytes([b[0], b[1]])),
        (Kind::Uint, 4) => |b| f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        (Kind::Uint, 8) => |b| u64::from_le_bytes(*b) as f64,
        (Kind::Int, 1) => |b| f64::from(b[0] as i8),
        (Kind::Int, 2) => |b| f64::from(i16::from_le_bytes([b[0], b[1]])),
        (Kind::Int, 4) => |b| f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        (Kind::Int, 8) => |b| i64::from_le_bytes(*b) as f64,
        (Kind::Float, 4) => |b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        (Kind::Float, 8) => |b| f64::from_le_bytes(*b),
        _ => return None,
    };
    let number = |bytes: &[u8]| {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        if member.big_endian {
            eight[..bytes.len()].reverse();
        }
        read(&eight)
    };
    Some(row.chunks_exact(member.width).map(number).collect())
}

/// The bytes of numbers in the array's type, rounded where it holds whole ones.
pub(super) fn bytes(member: &Member, numbers: impl Iterator<Item = f64>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in numbers {
        let start = bytes.len();
        match (member.kind, member.width) {
            (Kind::Uint, 1) => bytes.push(number.round() as u8),
            (Kind::Float, 4) => bytes.extend((number as f32).to_le_bytes()),
            (Kind::Float, 8) => bytes.extend(number.to_le_bytes()),
            _ => return None,
        }
        if member.big_endian {
            bytes[start..].reverse();
        }
    }
    Some(bytes)
}

/// The texts of an array of them: NumPy keeps four bytes for each character, and zeros behind the last.
pub(super) fn texts(member: &Member, bytes: &[u8]) -> Option<Vec<String>> {
    let text = |bytes: &[u8]| -> Option<String> {
        let characters = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| match member.big_endian {
                true => u32::from_be_bytes(*bytes),
                false => u32::from_le_bytes(*bytes),
            });
        characters
            .take_while(|&code| code != 0)
            .map(char::from_u32)
            .collect()
    };
    (member.kind == Kind::Text && member.width > 0)
        .then(|| bytes.chunks_exact(member.width).map(text).collect())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::member::of_type;
    use super::*;

    #[test]
    fn numbers_survive_the_way_there_and_back() {
        for (kind, width, big_endian) in [
            (Kind::Uint, 1, false),
            (Kind::Float, 4, false),
            (Kind::Float, 4, true),
            (Kind::Float, 8, true),
        ] {
            let member = of_type(kind, width, big_endian);
            let values = [0.0, 1.0, 17.0, 255.0];
            let written = bytes(&member, values.into_iter()).unwrap();
            assert_eq!(written.len(), 4 * width);
            assert_eq!(numbers(&member, &written).unwrap(), values);
        }
        let member = of_type(Kind::Int, 2, true);
        assert_eq!(numbers(&member, &[0xff, 0xfe, 0, 3]).unwrap(), [-2.0, 3.0]);
        let member = of_type(Kind::Text, 12, false);
        let two: Vec<u8> = "antbe\0"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        assert_eq!(texts(&member, &two).unwrap(), ["ant", "be"]);
    }
}
