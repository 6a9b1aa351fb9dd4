//! Methods shared by the types of S3 logs and of CDN logs, whose fields are distinct types: of a field, a field set
//! and an error.

/// Methods of a `Field`, based on the table `FIELDS` in the same module.
macro_rules! field_methods {
    () => {
        impl Field {
            /// Metadata of this field.
            #[inline]
            #[must_use]
            pub const fn info(self) -> &'static FieldInfo {
                &FIELDS[self as usize]
            }

            /// Column name, in snake case.
            #[inline]
            #[must_use]
            pub const fn name(self) -> &'static str {
                self.info().name
            }

            /// Name in the documentation of the log format.
            #[inline]
            #[must_use]
            pub const fn title(self) -> &'static str {
                self.info().title
            }

            /// Index in the table, from 0.
            #[inline]
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// Looks up a field by its column name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                FIELDS.iter().find(|info| info.name == name).map(|info| info.field)
            }
        }

        impl std::fmt::Display for Field {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.title())
            }
        }
    };
}

/// Methods of a `FieldSet`, a newtype around an unsigned integer with one bit per `Field`.
macro_rules! field_set_methods {
    () => {
        impl FieldSet {
            /// The empty set: lines are validated, but no field is kept.
            pub const EMPTY: Self = Self(0);

            /// The set that contains only `field`.
            #[inline]
            #[must_use]
            pub const fn of(field: Field) -> Self {
                Self(1 << field as u32)
            }

            /// Whether the field is in the set.
            #[inline]
            #[must_use]
            pub const fn contains(self, field: Field) -> bool {
                self.0 & (1 << field as u32) != 0
            }

            /// Whether everything in `other` is in this set.
            #[inline]
            #[must_use]
            pub const fn contains_all(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The union of this set and `other`.
            #[inline]
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The intersection of this set and `other`.
            #[inline]
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// This set with `field` added.
            #[inline]
            #[must_use]
            pub const fn with(self, field: Field) -> Self {
                self.union(Self::of(field))
            }

            /// Number of members.
            #[inline]
            #[must_use]
            pub const fn len(self) -> usize {
                self.0.count_ones() as usize
            }

            /// Whether the set is empty.
            #[inline]
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The fields of the set, in the order of the table.
            pub fn iter(self) -> impl Iterator<Item = Field> {
                Field::ALL.into_iter().filter(move |field| self.contains(*field))
            }
        }

        impl std::ops::BitOr for FieldSet {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl FromIterator<Field> for FieldSet {
            fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
                fields.into_iter().fold(Self::EMPTY, Self::with)
            }
        }

        impl From<Field> for FieldSet {
            fn from(field: Field) -> Self {
                Self::of(field)
            }
        }
    };
}

/// Methods of an `Error`, a struct of an `ErrorKind`, a `Field` and a 32-bit offset. The `Display` implementation of
/// its `Reason` is written next to it.
macro_rules! error_methods {
    () => {
        const _: () = assert!(size_of::<Error>() <= 8);

        impl Error {
            pub(crate) fn new(kind: ErrorKind, field: Field, offset: usize) -> Self {
                Self { kind, field, offset: u32::try_from(offset).unwrap_or(u32::MAX) }
            }

            /// What is wrong.
            #[must_use]
            pub fn kind(&self) -> ErrorKind {
                self.kind
            }

            /// The invalid field, or the one expected where the line stopped matching.
            #[must_use]
            pub fn field(&self) -> Field {
                self.field
            }

            /// Byte offset in the line, from 0, at which the field is or was expected.
            #[must_use]
            pub fn offset(&self) -> usize {
                self.offset as usize
            }

            /// The error without its position. Equal for all lines that fail in the same way, so that they can be
            /// counted.
            #[must_use]
            pub fn reason(&self) -> Reason {
                Reason(*self)
            }
        }

        /// An error without its position; see [`Error::reason`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct Reason(Error);

        impl std::fmt::Display for Error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{} (byte {})", self.reason(), self.offset)
            }
        }

        impl std::error::Error for Error {}
    };
}

pub(crate) use {error_methods, field_methods, field_set_methods};
