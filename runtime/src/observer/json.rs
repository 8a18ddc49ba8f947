//! Values as JSON, and the few forms of JSON that requests have.
//!
//! Not by `serde_json`: a library that brings it along gives every number type of the program a second `PartialEq`, and
//! `assert_eq!(sum, numbers.sum())` no longer compiles where its type was inferred.

use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};
use std::fmt::{self, Write};

/// A line with `value` as JSON.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut json = Json(String::new());
    value.serialize(&mut json).expect("plain values");
    json.0.push('\n');
    json.0.into_bytes()
}

/// The text so far.
struct Json(String);

/// A value of a kind that no answer has.
#[derive(Debug)]
pub(super) struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown")
    }
}

impl std::error::Error for Unknown {}

impl ser::Error for Unknown {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Json {
    fn write(&mut self, value: impl fmt::Display) -> Result<(), Unknown> {
        write!(self.0, "{value}").map_err(|_| Unknown)
    }

    fn text(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                '\n' => self.0.push_str("\\n"),
                c if c < ' ' => self.0.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }
}

/// A list or an object under way.
struct Many<'a> {
    json: &'a mut Json,
    is_first: bool,
    end: char,
}

impl<'a> Many<'a> {
    fn begin(json: &'a mut Json, begin: char, end: char) -> Self {
        json.0.push(begin);
        Self { json, is_first: true, end }
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.json.0.push(',');
        }
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Unknown> {
        self.comma();
        value.serialize(&mut *self.json)
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Unknown> {
        self.comma();
        self.json.text(name);
        self.json.0.push(':');
        value.serialize(&mut *self.json)
    }

    fn finish(self) {
        self.json.0.push(self.end);
    }
}

impl SerializeSeq for Many<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        self.item(value)
    }

    fn end(self) -> Result<(), Unknown> {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Many<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        self.item(value)
    }

    fn end(self) -> Result<(), Unknown> {
        self.finish();
        Ok(())
    }
}

impl SerializeStruct for Many<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unknown> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Unknown> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Many<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unknown> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        self.json.0.push(':');
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), Unknown> {
        self.finish();
        Ok(())
    }
}

/// Numbers are written as Rust writes them.
macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), Unknown> {
            self.write(value)
        })*
    };
}

type Never = ser::Impossible<(), Unknown>;

impl<'a> ser::Serializer for &'a mut Json {
    type Ok = ();
    type Error = Unknown;
    type SerializeSeq = Many<'a>;
    type SerializeTuple = Many<'a>;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Many<'a>;
    type SerializeStruct = Many<'a>;
    type SerializeStructVariant = Never;

    numbers!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_f32(self, value: f32) -> Result<(), Unknown> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unknown> {
        if value.is_finite() { self.write(value) } else { self.serialize_none() }
    }

    fn serialize_char(self, value: char) -> Result<(), Unknown> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unknown> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unknown> {
        Err(Unknown)
    }

    fn serialize_none(self) -> Result<(), Unknown> {
        self.0.push_str("null");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unknown> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unknown> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unknown> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Unknown> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unknown> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unknown> {
        Err(Unknown)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Many<'a>, Unknown> {
        Ok(Many::begin(self, '[', ']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Many<'a>, Unknown> {
        Ok(Many::begin(self, '[', ']'))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, Unknown> {
        Err(Unknown)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, Unknown> {
        Err(Unknown)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Many<'a>, Unknown> {
        Ok(Many::begin(self, '{', '}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Many<'a>, Unknown> {
        Ok(Many::begin(self, '{', '}'))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, Unknown> {
        Err(Unknown)
    }
}

/// A value in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Switch(bool),
}

/// Reads an object whose values are texts without escapes, whole numbers and switches. None: it is none.
pub(super) fn flat_object(text: &str) -> Option<Vec<(&str, Value<'_>)>> {
    let mut rest = text.trim().strip_prefix('{')?.trim_start();
    let mut fields = Vec::new();
    while !rest.starts_with('}') {
        if !fields.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
        let (name, behind) = quoted(rest)?;
        let (value, behind) = value(behind.trim_start().strip_prefix(':')?.trim_start())?;
        fields.push((name, value));
        rest = behind.trim_start();
    }
    (rest == "}").then_some(fields)
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let (inner, behind) = text.strip_prefix('"')?.split_once('"')?;
    (!inner.contains('\\')).then_some((inner, behind))
}

fn value(text: &str) -> Option<(Value<'_>, &str)> {
    if let Some((inner, behind)) = quoted(text) {
        return Some((Value::Text(inner), behind));
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    let value = match word {
        "true" => Value::Switch(true),
        "false" => Value::Switch(false),
        number => Value::Number(number.parse().ok()?),
    };
    Some((value, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_written_as_json_has_it() {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        enum State {
            InC,
        }
        #[derive(serde::Serialize)]
        struct All<'a> {
            text: &'a str,
            list: Vec<u8>,
            pair: (u64, Option<i32>),
            half: f64,
            none: f64,
            state: State,
            on: bool,
        }
        let (text, list) = ("a \"b\"\\\n\u{1}é", vec![1, 2]);
        let all = All { text, list, pair: (3, None), half: 0.5, none: f64::NAN, state: State::InC, on: true };
        let expected = "{\"text\":\"a \\\"b\\\"\\\\\\n\\u0001é\",\"list\":[1,2],\"pair\":[3,null],\"half\":0.5,\"none\":null,\
                        \"state\":\"in_c\",\"on\":true}\n";
        assert_eq!(String::from_utf8(line(&all)).expect("text"), expected);
    }

    #[test]
    fn flat_objects_are_read_and_nothing_else() {
        let fields = vec![("a", Value::Text("b c")), ("n", Value::Number(7)), ("on", Value::Switch(true))];
        assert_eq!(flat_object(" { \"a\" : \"b c\", \"n\":7 ,\"on\":true}\r\n"), Some(fields));
        assert_eq!(flat_object("{}"), Some(Vec::new()));
        for text in
            ["", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}}", "{\"a\":[1]}", "{\"a\":-1}", "{,}", "[]"]
        {
            assert_eq!(flat_object(text), None, "{text}");
        }
    }
}
