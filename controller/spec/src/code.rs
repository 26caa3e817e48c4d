//! The codes of everything that can be wrong with a file. Each has a page in `specs/errors.md`.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What is wrong, as a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All, in order.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The digits behind `DD`.
            pub const fn number(self) -> u16 {
                match self {
                    $(Code::$name => $number,)*
                }
            }
        }
    };
}

codes! {
    /// More than 256 KiB.
    FileTooLarge = 101,
    /// Not UTF-8.
    NotUtf8 = 102,
    /// Not YAML.
    NotYaml = 103,
    /// One field twice.
    DuplicateKey = 104,
    /// An anchor or an alias.
    AnchorOrAlias = 105,
    /// An explicit tag.
    Tag = 106,
    /// Nested too deeply.
    TooDeep = 107,
    /// Too many values.
    TooManyValues = 108,
    /// More than one document.
    SeveralDocuments = 109,
    /// Nothing in it.
    Empty = 110,
    /// A character that cannot be seen, or that changes how others are shown.
    InvisibleCharacter = 111,
    /// The two readers understand the file differently.
    ReadersDisagree = 112,
    /// A field name that is not a text.
    KeyNotText = 113,
    /// Too many problems to tell them all.
    MoreProblems = 114,
    /// A symlink, a submodule or something else that is no file, where a file should be.
    NotAFile = 115,
    /// A field that is not known.
    UnknownField = 201,
    /// A field that must be given.
    MissingField = 202,
    /// A value of the wrong type.
    WrongType = 203,
    /// A value that is none of those allowed.
    NotOneOf = 204,
    /// Another `apiVersion`.
    UnknownApiVersion = 205,
    /// Another `kind`.
    UnknownKind = 206,
    /// A secret, or a field for one.
    SecretInFile = 207,
    /// Exactly one of several fields must be given.
    ExactlyOne = 208,
    /// A name with characters that names may not have.
    BadName = 301,
    /// One node twice.
    DuplicateNode = 302,
    /// Not a duration.
    BadDuration = 303,
    /// A number or duration outside its bounds.
    OutOfBounds = 304,
    /// Not a schedule.
    BadSchedule = 305,
    /// Not a time zone.
    BadTimeZone = 306,
    /// An exclusion that excludes nothing.
    BadExclusion = 307,
    /// Windows that never open.
    NeverOpens = 308,
    /// Warning: windows too short for one node.
    WindowTooShort = 309,
    /// Not a build of a known release.
    BadBuild = 310,
    /// No documented upgrade does what is asked.
    UnsupportedPath = 311,
    /// Warning: a release out of support.
    OutOfSupport = 312,
    /// A value that a law forbids.
    ForbiddenByLaw = 313,
    /// A method that this version does not know yet.
    MethodNotYet = 314,
    /// Not a local folder of a Windows machine.
    BadMediaPath = 315,
    /// An order of nodes that are not the cluster's.
    BadNodeOrder = 316,
    /// Not an instant.
    BadInstant = 317,
    /// Not a host name or an IP address.
    BadAddress = 318,
    /// A text that is empty, too long or of several lines.
    BadText = 319,
    /// Not an SSH public key.
    BadKey = 320,
    /// Not a git remote or branch.
    BadRemote = 321,
    /// Warning: two values that do not go together.
    Contradiction = 322,
    /// A number of nodes that cannot be upgraded like this.
    NodeCount = 323,
    /// One name for two clusters.
    DuplicateCluster = 401,
    /// One machine in two clusters.
    NodeInTwoClusters = 402,
    /// A file where Drydock does not look for it, or under a name that it does not read.
    BadFilePath = 403,
}

/// `DD0201`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DD{:04}", self.number())
    }
}
