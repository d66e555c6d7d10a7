//! Objects in a line: which fields a shape knows, and how they are read in one pass. What a field's value means is in
//! `field`, the syntax in `json`.

use super::field::Field;
use super::json::{Kind, Raw, Scanner};
use super::line_error::LineError;

/// An object that keeps its known fields and skips the others. Of repeated keys, the last one counts. A field that is
/// a list of objects is read along with it: otherwise its text would be scanned twice.
macro_rules! object {
    ($(#[$doc:meta])* $what:ident {
        $($slot:ident: $name:literal,)*
        $([$list:ident]: $list_name:literal of $element:ident,)*
    }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(in crate::feed) struct $what<'a> {
            $($slot: Option<$crate::feed::json::Raw<'a>>,)*
            $($list: $crate::feed::object::NestedObjects<'a, $element<'a>>,)*
        }

        impl<'a> $what<'a> {
            $(
                #[doc = concat!("`", $name, "`.")]
                pub(in crate::feed) fn $slot(&self) -> $crate::feed::field::Field<'a> {
                    $crate::feed::field::Field::new($name, self.$slot)
                }
            )*
            $(
                #[doc = concat!("`", $list_name, "`.")]
                pub(in crate::feed) fn $list(&self) -> $crate::feed::object::ObjectList<'_, 'a, $element<'a>> {
                    self.$list.named($list_name)
                }
            )*
        }

        impl<'a> $crate::feed::object::ReadObject<'a> for $what<'a> {
            fn read(
                &mut self,
                scanner: &mut $crate::feed::json::Scanner<'a>,
            ) -> Result<(), $crate::feed::line_error::LineError> {
                scanner.entries(|key, scanner| {
                    let decoded;
                    let (head, key) = match key.plain() {
                        Some(plain) => (key.head(), plain),
                        None => {
                            // A key with a lone surrogate matches no known key.
                            decoded = key.decode().unwrap_or_default();
                            ($crate::feed::word::of(&decoded), decoded.as_bytes())
                        }
                    };
                    // The heads of the known names: one search among numbers finds the few that may be meant.
                    mod heads {
                        #![allow(non_upper_case_globals)]
                        $(pub(super) const $list: u64 = $crate::feed::word::of($list_name);)*
                        $(pub(super) const $slot: u64 = $crate::feed::word::of($name);)*
                    }
                    let mut unknown = None;
                    let slot = match head {
                        $(heads::$list if key == $list_name.as_bytes() => {
                            self.$list = $crate::feed::object::NestedObjects::default();
                            return self.$list.read(scanner);
                        })*
                        $(heads::$slot if key == $name.as_bytes() => &mut self.$slot,)*
                        _ => &mut unknown,
                    };
                    *slot = Some(scanner.value()?);
                    Ok(())
                })
            }
        }
    };
}
pub(super) use object;

/// What `object!` makes can be read from a text.
pub(super) trait ReadObject<'a>: Default {
    /// Reads the object that begins here.
    fn read(&mut self, scanner: &mut Scanner<'a>) -> Result<(), LineError>;
}

/// The value of a field that should be a list of objects.
pub(super) struct NestedObjects<'a, T> {
    raw: Option<Raw<'a>>,
    /// Nearly all lists have one object: it needs no allocation.
    first: Option<T>,
    more: Vec<T>,
    /// The list has an element that is no object; this many objects come before it.
    other_after: Option<usize>,
}

/// The same, with the name of the field.
pub(super) struct ObjectList<'l, 'a, T> {
    field: Field<'a>,
    value: &'l NestedObjects<'a, T>,
}

impl<T> Default for NestedObjects<'_, T> {
    fn default() -> Self {
        NestedObjects {
            raw: None,
            first: None,
            more: Vec::new(),
            other_after: None,
        }
    }
}

impl<T> NestedObjects<'_, T> {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }
}

impl<'a, T: ReadObject<'a>> NestedObjects<'a, T> {
    /// Reads the value that begins here, whatever it is, into a list that has nothing yet.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'a>) -> Result<(), LineError> {
        if scanner.peek() != Some(b'[') {
            self.raw = Some(scanner.value()?);
            return Ok(());
        }
        let raw = scanner.list(|scanner| {
            if scanner.peek() != Some(b'{') {
                let before = self.len();
                self.other_after.get_or_insert(before);
                return scanner.value().map(Raw::is_plain);
            }
            if self.first.is_none() {
                self.first.insert(T::default()).read(scanner)?;
            } else {
                let mut object = T::default();
                object.read(scanner)?;
                self.more.push(object);
            }
            Ok(false)
        })?;
        self.raw = Some(raw);
        Ok(())
    }

    pub(super) fn named(&self, name: &'static str) -> ObjectList<'_, 'a, T> {
        ObjectList {
            field: Field::new(name, self.raw),
            value: self,
        }
    }
}

impl<'l, 'a, T> ObjectList<'l, 'a, T> {
    /// The field, whatever it is.
    pub(super) fn field(&self) -> Field<'a> {
        self.field
    }

    /// How many objects there are.
    pub(super) fn len(&self) -> usize {
        self.value.len()
    }

    /// The objects, one after the other; a missing list has none. An error where the value is no list, or an element
    /// no object.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(&'l T) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        if self
            .field
            .given()
            .is_some_and(|raw| raw.kind() != Kind::List)
        {
            return Err(self.field.not("a list"));
        }
        let value = self.value;
        let objects = value.first.iter().chain(&value.more);
        let valid = value.other_after.unwrap_or(usize::MAX);
        objects.take(valid).try_for_each(&mut each)?;
        match value.other_after {
            Some(_) => Err(self.field.has_no("an object")),
            None => Ok(()),
        }
    }
}
