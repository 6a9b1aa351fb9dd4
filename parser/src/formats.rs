//! What S3's logs and CDN logs have in common though their fields are types of their own: what can be asked of a field, of a set of
//! fields, and of an error.

/// What can be asked of a `Field`, by the table `FIELDS` in the same file.
macro_rules! field_methods {
    () => {
        impl Field {
            /// What is known of this field.
            #[inline]
            #[must_use]
            pub const fn info(self) -> &'static FieldInfo {
                &FIELDS[self as usize]
            }

            /// Its column's name, in snake case.
            #[inline]
            #[must_use]
            pub const fn name(self) -> &'static str {
                self.info().name
            }

            /// What the log's own documentation calls it.
            #[inline]
            #[must_use]
            pub const fn title(self) -> &'static str {
                self.info().title
            }

            /// Position in the table, from 0.
            #[inline]
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The field with this column name.
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

/// What can be done with a `FieldSet`, a tuple of one unsigned integer with a bit for each `Field`.
macro_rules! field_set_methods {
    () => {
        impl FieldSet {
            /// Nothing: records are told from other lines, no field of theirs is kept.
            pub const EMPTY: Self = Self(0);

            /// The set of this one field.
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

            /// Whether anything in `other` is in this set.
            #[inline]
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// This set and `other`.
            #[inline]
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// What is in this set and in `other`.
            #[inline]
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// This set with one more field.
            #[inline]
            #[must_use]
            pub const fn with(self, field: Field) -> Self {
                self.union(Self::of(field))
            }

            /// How much there is in the set.
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

/// What can be asked of an `Error`, which has an `ErrorKind`, a `Field` and an offset of 32 bits. What its `Reason` says is told
/// beside it.
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

            /// The field in which it is wrong, or that was expected where the line stopped to fit.
            #[must_use]
            pub fn field(&self) -> Field {
                self.field
            }

            /// Byte of the line, from 0, at which the field stands or was expected.
            #[must_use]
            pub fn offset(&self) -> usize {
                self.offset as usize
            }

            /// What is wrong, without the place: the same for all lines that fail alike, so that they can be counted together.
            #[must_use]
            pub fn reason(&self) -> Reason {
                Reason(*self)
            }
        }

        /// What is wrong with a line, see [`Error::reason`].
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
