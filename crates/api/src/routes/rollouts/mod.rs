pub(crate) mod cancel;
pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod resume;
pub(crate) mod show;
pub(crate) mod start;
pub(crate) mod stream;
