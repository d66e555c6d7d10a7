//! The text of a name. Short texts lie in the list of names itself, so that a look-up reads memory once, not twice.

use std::sync::Arc;

/// The text of a name.
#[derive(Debug, Clone)]
pub(super) enum NameText {
    Short { length: u8, bytes: [u8; SHORT_MAX] },
    Long(Arc<str>),
}

/// With these a text takes no more than a pointer to a longer one and its length, with the tag and the padding.
const SHORT_MAX: usize = 22;

impl NameText {
    pub fn new(text: &str) -> NameText {
        let mut bytes = [0; SHORT_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(begin), Ok(length)) => {
                begin.copy_from_slice(text.as_bytes());
                NameText::Short { length, bytes }
            }
            _ => NameText::Long(Arc::from(text)),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            NameText::Short { length, bytes } => {
                bytes.get(..usize::from(*length)).unwrap_or_default()
            }
            NameText::Long(text) => text.as_bytes(),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            // It was made from a str, so this cannot fail.
            NameText::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            NameText::Long(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_it_was_made_from() {
        assert_eq!(size_of::<NameText>(), 24);
        for length in (0..40).chain([255, 256, 1_024]) {
            for text in ["a".repeat(length), "ä".repeat(length)] {
                let kept = NameText::new(&text);
                assert_eq!((kept.as_str(), kept.as_bytes()), (&*text, text.as_bytes()));
            }
        }
    }
}
