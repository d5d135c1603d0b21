//! How bars look.

use indicatif::ProgressStyle;

/// Every template is a constant of this file, so it is valid.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a valid template").progress_chars("━━╌")
}
