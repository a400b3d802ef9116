//! Values of records, as loosely as their writers type them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An id, written as a number or quoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Id(pub(super) u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Anything else is an id that no other record has.
        Field::deserialize(deserializer).map(|field| {
            Self(match field {
                Field::Number(number) => number,
                Field::Text(text) => text.parse().unwrap_or_default(),
                Field::Other => 0,
            })
        })
    }
}

/// One of a record's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Number(u64),
    Text(Cow<'a, str>),
    Other,
}

impl<'a> Field<'a> {
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Other => None,
        }
    }

    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Other => None,
        }
    }
}

struct FieldVisitor<'a>(PhantomData<Field<'a>>);

impl<'de: 'a, 'a> Visitor<'de> for FieldVisitor<'a> {
    type Value = Field<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(number).map_or(Field::Other, Field::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        while values.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

/// What Determinate Nix says of a build (src/libstore/build-result.cc of 3.22: `KeyedBuildResult` as JSON).
#[derive(Debug, Deserialize)]
pub(super) struct Payload(Value);

impl Payload {
    /// The derivation, whether it was built, and why not.
    pub(super) fn build(&self) -> Option<(String, bool, Option<String>)> {
        let path = &self.0["path"];
        let drv = [&path["drvPath"], &self.0["drvPath"], path]
            .into_iter()
            .find_map(Value::as_str)?;
        let success = match (&self.0["success"], &self.0["status"]) {
            (Value::Bool(success), _) => *success,
            (_, Value::String(status)) => {
                matches!(
                    status.as_str(),
                    "Built" | "Substituted" | "AlreadyValid" | "ResolvesToAlreadyValid"
                )
            }
            _ => return None,
        };
        let cause = self.0["errorMsg"]
            .as_str()
            .filter(|cause| !cause.is_empty());
        Some((drv.to_owned(), success, cause.map(str::to_owned)))
    }
}
