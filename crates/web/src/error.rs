//! What can go wrong while a page is made.

/// A page could not be made. The caller answers with [`crate::fault::render`] and status 500.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The template did not render.
    #[error("the page could not be rendered")]
    Render(#[from] askama::Error),
}
