//! Texts that rules look at: values and what transformations make of them, each made and scanned once.

use std::borrow::Cow;

use crate::byte_set::ByteSet;
use crate::forms::{FormId, Forms};
use crate::gate::Gate;

/// A text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextId(pub(super) u32);

/// All texts of a request. The first ones are its values, as they came.
pub(super) struct Texts<'m> {
    all: Vec<Text<'m>>,
    /// For each value and form the text that it is; `NONE` where nobody asked.
    forms: Vec<u32>,
    forms_each: usize,
    /// For each text that was scanned the tests that may find something in it.
    likely: Vec<u64>,
    words: usize,
}

struct Text<'m> {
    bytes: Cow<'m, [u8]>,
    has: ByteSet,
    /// Where in `likely` its tests are; `NONE` where it was not scanned.
    likely: u32,
    /// Another text made of the same value.
    sibling: u32,
}

const NONE: u32 = u32::MAX;

/// What was done to get at something, in bytes that were looked at.
pub(super) type Work = usize;

impl<'m> Texts<'m> {
    pub(super) fn new(forms_each: usize, words: usize) -> Self {
        Self { all: Vec::new(), forms: Vec::new(), forms_each, likely: Vec::new(), words }
    }

    pub(super) fn add(&mut self, bytes: Cow<'m, [u8]>) -> TextId {
        let has = ByteSet::of_long(&bytes);
        self.all.push(Text { bytes, has, likely: NONE, sibling: NONE });
        TextId(self.all.len() as u32 - 1)
    }

    /// All values are there: their forms may be asked for.
    pub(super) fn ready(&mut self) {
        self.forms.clear();
        self.forms.resize(self.all.len() * self.forms_each, NONE);
    }

    pub(super) fn bytes(&self, text: TextId) -> &[u8] {
        self.all.get(text.0 as usize).map_or(&[], |text| &text.bytes)
    }

    /// The bytes that stand in it, letters as small ones.
    pub(super) fn folded(&self, text: TextId) -> ByteSet {
        self.all.get(text.0 as usize).map_or(ByteSet::NONE, |text| text.has.folded())
    }

    /// The form of a value.
    pub(super) fn form(&mut self, value: TextId, form: FormId, forms: &Forms, work: &mut Work) -> TextId {
        let slot = value.0 as usize * self.forms_each + form.0 as usize;
        if let Some(&known) = self.forms.get(slot)
            && known != NONE
        {
            return TextId(known);
        }
        let made = self.make(value, form, forms, work);
        // A value that came later has no place for its forms.
        if let Some(slot) = self.forms.get_mut(slot) {
            *slot = made.0;
        }
        made
    }

    fn make(&mut self, value: TextId, form: FormId, forms: &Forms, work: &mut Work) -> TextId {
        let wanted = forms.form(form);
        let Some((before, transformation)) = wanted.last else { return value };
        let has = self.all.get(value.0 as usize).map_or(ByteSet::NONE, |text| text.has);
        if !wanted.touches.meets(has) {
            return value;
        }
        let before = self.form(value, before, forms, work);
        let Some(text) = self.all.get(before.0 as usize) else { return before };
        if !wanted.last_touches.meets(text.has) {
            return before;
        }
        *work += text.bytes.len();
        if transformation.leaves(&text.bytes) {
            return before;
        }
        let mut bytes = Vec::with_capacity(text.bytes.len());
        transformation.apply(&text.bytes, &mut bytes);
        *work += bytes.len();
        if *bytes == *text.bytes {
            return before;
        }
        // Case is nothing to a scan.
        let likely = if transformation.only_folds() { text.likely } else { NONE };
        let mut sibling = self.all.get(value.0 as usize).map_or(NONE, |text| text.sibling);
        let first = sibling;
        while let Some(other) = self.all.get(sibling as usize) {
            if *other.bytes == *bytes {
                return TextId(sibling);
            }
            sibling = other.sibling;
        }
        let has = ByteSet::of_long(&bytes);
        let id = self.all.len() as u32;
        self.all.push(Text { bytes: Cow::Owned(bytes), has, likely, sibling: first });
        if let Some(value) = self.all.get_mut(value.0 as usize) {
            value.sibling = id;
        }
        TextId(id)
    }

    /// The tests that may find something in a text.
    pub(super) fn likely(&mut self, text: TextId, gate: &Gate, work: &mut Work) -> &[u64] {
        let Some(own) = self.all.get_mut(text.0 as usize) else { return &[] };
        if own.likely == NONE {
            let start = self.likely.len();
            self.likely.resize(start + self.words, 0);
            *work += own.bytes.len() + gate.scan(&own.bytes, &mut self.likely[start..]);
            own.likely = start as u32;
        }
        let start = own.likely as usize;
        self.likely.get(start..start + self.words).unwrap_or_default()
    }
}
