//! Implements bincode for types of the domain, because the domain may not import bincode. The bytes are those that
//! `#[derive(Encode, Decode)]` would write.

use super::CodecError;

/// An enum without fields, as a number. Rows, bodies and the chain use the same numbers, so they never change.
pub(in crate::log::codec) trait Numbered: Sized {
    fn number(self) -> u8;

    fn from_number(number: u32) -> Result<Self, CodecError>;
}

/// Numbers the variants of an enum. Variants with one number are read as the first of them.
macro_rules! numbered {
    ($type:ident, $what:literal: $($variant:ident $(or $same:ident)? = $number:literal),+) => {
        impl $crate::log::codec::derive::Numbered for $type {
            fn number(self) -> u8 {
                match self {
                    $($type::$variant $(| $type::$same)? => $number),+
                }
            }

            fn from_number(number: u32) -> Result<Self, $crate::log::codec::CodecError> {
                match number {
                    $($number => Ok($type::$variant),)+
                    _ => Err($crate::log::codec::CodecError::Unknown {
                        what: $what,
                        value: u64::from(number),
                    }),
                }
            }
        }

        impl bincode::Encode for $type {
            fn encode<E: bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), bincode::error::EncodeError> {
                let number = $crate::log::codec::derive::Numbered::number(*self);
                bincode::Encode::encode(&u32::from(number), encoder)
            }
        }

        impl<C> bincode::Decode<C> for $type {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                let number = bincode::Decode::decode(decoder)?;
                $crate::log::codec::derive::Numbered::from_number(number)
                    .map_err(|error| bincode::error::DecodeError::OtherString(error.to_string()))
            }
        }

        bincode::impl_borrow_decode!($type);
    };
}

/// Writes the fields of a struct one after another, in the order in which they are named here.
macro_rules! fields {
    ($type:ident { $($field:ident),+ }) => {
        impl bincode::Encode for $type {
            fn encode<E: bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), bincode::error::EncodeError> {
                let $type { $($field),+ } = self;
                $(bincode::Encode::encode($field, encoder)?;)+
                Ok(())
            }
        }

        impl<C> bincode::Decode<C> for $type {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                Ok($type { $($field: bincode::Decode::decode(decoder)?),+ })
            }
        }

        bincode::impl_borrow_decode!($type);
    };
}

pub(in crate::log::codec) use {fields, numbered};
