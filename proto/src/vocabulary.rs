//! One macro for the closed enumerations of the vocabulary.

/// Declares an enumeration that mirrors a wire enumeration without its `Unspecified`: names, wire codes (which are
/// also the canonical codes) and the checked conversion stand in one place.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident from $wire:path { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* #[doc = concat!("`", $text, "`")] $variant,)+ }

        impl $name {
            /// Every member, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name that users see.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The code on the wire and in canonical bytes.
            pub fn code(self) -> i32 {
                use $wire as Wire;
                match self { $(Self::$variant => Wire::$variant as i32,)+ }
            }

            /// The member with this code; `None` for an unknown or unspecified one.
            pub fn from_code(code: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.code() == code)
            }
        }
    };
}
pub(crate) use vocabulary;
