//! Forms of values: what rules have done to a value before they look at it. Rules that begin alike share them.

use crate::byte_set::ByteSet;
use crate::transform::Transformation;

/// A form: no transformation, or one more than another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormId(pub(crate) u32);

/// All forms of a set of rules.
#[derive(Debug)]
pub(crate) struct Forms(Vec<Form>);

#[derive(Debug)]
pub(crate) struct Form {
    /// None in the first one, which is the value itself.
    pub(crate) last: Option<(FormId, Transformation)>,
    /// Its last transformation changes nothing where none of these bytes is.
    pub(crate) last_touches: ByteSet,
    /// A value without any of these bytes is its own form.
    pub(crate) touches: ByteSet,
}

impl Default for Forms {
    fn default() -> Self {
        Self(vec![Form { last: None, last_touches: ByteSet::NONE, touches: ByteSet::NONE }])
    }
}

impl FormId {
    /// The value itself.
    pub(crate) const ITSELF: Self = Self(0);
}

impl Forms {
    /// The form that one more transformation makes.
    pub(crate) fn next(&mut self, of: FormId, transformation: Transformation) -> FormId {
        let last = Some((of, transformation));
        if let Some(known) = self.0.iter().position(|form| form.last == last) {
            return FormId(known as u32);
        }
        let last_touches = transformation.touches();
        let touches = self.form(of).touches.or(last_touches);
        self.0.push(Form { last, last_touches, touches });
        FormId(self.0.len() as u32 - 1)
    }

    pub(crate) fn form(&self, id: FormId) -> &Form {
        // Ids are only made by `next`; the first form always is.
        self.0.get(id.0 as usize).unwrap_or(&self.0[0])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
