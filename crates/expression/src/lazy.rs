//! A list or map of a tree as CEL sees one: nothing of it is converted before an expression touches it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use cel::ExecutionError;
use cel::common::traits::{self, Adder, Container, Indexer, Iterable, Sizer};
use cel::common::types::{self, CelBool, CelDouble, CelInt, CelList, CelString, CelUInt, Type};
use cel::common::value::{CowVal, Val};

use crate::equal::equal;
use crate::meter::{self, BUDGET};
use crate::scalar::Scalar;
use crate::scope::Bound;
use crate::tree::{Shown, Tree};

/// Children of a map for which finding one by its name costs a unit more.
const KEYS_PER_UNIT: usize = 32;

/// A list or map of a tree.
pub struct LazyValue<'v, T: Tree> {
    tree: &'v T,
    node: T::Node,
    is_map: bool,
    /// The children, for loops: CEL borrows from here what it walks through. Places for more than a budget are never filled.
    walked: OnceLock<Box<[OnceLock<Item<'v, T>>]>>,
}

enum Item<'v, T: Tree> {
    Scalar(Scalar<'v>),
    Container(LazyValue<'v, T>),
}

impl<'v, T: Tree> LazyValue<'v, T> {
    /// A node for a [`Scope`](crate::Scope), whether it is a container or not.
    pub fn bound(tree: &'v T, node: T::Node) -> Bound<'v> {
        match Item::of(tree, node) {
            Item::Scalar(scalar) => scalar.into(),
            Item::Container(container) => Bound::of_tree(Box::new(container)),
        }
    }

    /// The child that `key` names. `None` for a key that this kind of container has not.
    fn child(&self, key: &dyn Val) -> Option<Result<T::Node, ExecutionError>> {
        if !self.is_map {
            let index = index(key)?;
            let found = usize::try_from(index).ok().and_then(|index| self.tree.nth(self.node, index));
            return Some(found.ok_or_else(|| ExecutionError::IndexOutOfBounds(index.into())));
        }
        if let Some(key) = key.downcast_ref::<CelString<'_>>() {
            if !meter::charge(self.tree.len(self.node) / KEYS_PER_UNIT) {
                return Some(Err(meter::spent()));
            }
            let found = self.tree.get(self.node, key.inner());
            return Some(found.ok_or_else(|| ExecutionError::NoSuchKey(Arc::new(key.inner().to_owned()))));
        }
        let is_key = key.downcast_ref::<CelInt>().is_some()
            || key.downcast_ref::<CelUInt>().is_some()
            || key.downcast_ref::<CelDouble>().is_some()
            || key.downcast_ref::<CelBool>().is_some();
        is_key.then(|| Err(ExecutionError::NoSuchKey(Arc::default())))
    }

    fn hand_out<'w>(&self, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let child = self.child(key).ok_or_else(|| ExecutionError::UnexpectedType {
            got: key.get_type().name().to_owned(),
            want: "map key".to_owned(),
        })??;
        let item = Item::of(self.tree, child);
        if !meter::charge(item.cost()) {
            return Err(meter::spent());
        }
        Ok(item.into_val())
    }
}

/// A place in a list: CEL takes any number that is whole.
fn index(key: &dyn Val) -> Option<i64> {
    if let Some(index) = key.downcast_ref::<CelInt>() {
        return Some(*index.inner());
    }
    if let Some(index) = key.downcast_ref::<CelUInt>() {
        return Some(i64::try_from(*index.inner()).unwrap_or(i64::MAX));
    }
    let index = *key.downcast_ref::<CelDouble>()?.inner();
    // Saturates, and then is out of bounds.
    (index.fract() == 0.0).then_some(index as i64)
}

impl<'v, T: Tree> Item<'v, T> {
    fn of(tree: &'v T, node: T::Node) -> Self {
        let shown = tree.show(node);
        let is_map = shown == Shown::Map;
        match Scalar::of(shown) {
            Some(scalar) => Self::Scalar(scalar),
            None => Self::Container(LazyValue { tree, node, is_map, walked: OnceLock::new() }),
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.cost(),
            Self::Container(_) => 1,
        }
    }

    fn as_val<'b, 'w>(&'b self) -> &'b (dyn Val + 'w)
    where
        Self: 'w,
    {
        match self {
            Self::Scalar(scalar) => scalar.as_val(),
            Self::Container(container) => container,
        }
    }

    fn into_val<'w>(self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        match self {
            Self::Scalar(scalar) => scalar.into_val(),
            Self::Container(container) => Box::new(container),
        }
    }
}

impl<T: Tree> fmt::Debug for LazyValue<'_, T> {
    /// Not the content: it may be a secret, and long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyValue").field("node", &self.node).finish_non_exhaustive()
    }
}

impl<T: Tree> Val for LazyValue<'_, T> {
    fn get_type(&self) -> &Type {
        const MAP: &Type = &types::MAP_TYPE;
        const LIST: &Type = &types::LIST_TYPE;
        if self.is_map { MAP } else { LIST }
    }

    /// CEL asks it of types that functions are declared for. None is for this one.
    fn cel_type() -> &'static Type {
        const DYN: &Type = &types::DYN_TYPE;
        DYN
    }

    fn as_adder<'b, 'w>(&'b self) -> Option<&'b (dyn Adder + 'w)>
    where
        Self: 'w,
    {
        (!self.is_map).then_some(self as _)
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        equal(self, other)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(Self { tree: self.tree, node: self.node, is_map: self.is_map, walked: OnceLock::new() })
    }
}

impl<T: Tree> Adder for LazyValue<'_, T> {
    /// A list of CEL's own, with the values of both.
    fn add<'b, 'w>(&'b self, other: &(dyn Val + 'w)) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let none = cel::Value::Null;
        let unfit = || ExecutionError::UnsupportedBinaryOperator("add", none.clone(), none.clone());
        let mut others = other.as_iterable().ok_or_else(unfit)?.iter();
        let mut values = Vec::new();
        for (_, child) in self.tree.children(self.node) {
            let item = Item::of(self.tree, child);
            if !meter::charge(item.cost()) {
                return Err(meter::spent());
            }
            values.push(item.into_val());
        }
        while let Some(value) = others.next() {
            values.push(value.clone_as_boxed());
        }
        Ok(CowVal::owned(CelList::from(values)))
    }
}

impl<T: Tree> Indexer for LazyValue<'_, T> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.hand_out(key).map(CowVal::Owned)
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.hand_out(key)
    }
}

impl<T: Tree> Container for LazyValue<'_, T> {
    /// A key of a map, a value of a list.
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        if self.is_map {
            return match self.child(value) {
                Some(Err(ExecutionError::NoSuchKey(_))) => Ok(false),
                Some(found) => found.map(|_| true),
                None => Err(ExecutionError::UnsupportedKeyType(cel::Value::Null)),
            };
        }
        for (_, child) in self.tree.children(self.node) {
            let item = Item::of(self.tree, child);
            if !meter::charge(item.cost()) {
                return Err(meter::spent());
            }
            if equal(item.as_val(), value) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<T: Tree> Sizer for LazyValue<'_, T> {
    fn size(&self) -> CelInt {
        i64::try_from(self.tree.len(self.node)).unwrap_or(i64::MAX).into()
    }
}

impl<'v, T: Tree> Iterable for LazyValue<'v, T> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn traits::Iterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        let places = self.walked.get_or_init(|| {
            let places = self.tree.len(self.node).min(BUDGET as usize + 1);
            std::iter::repeat_with(OnceLock::new).take(places).collect()
        });
        let children = self.tree.children(self.node);
        Box::new(Walk { tree: self.tree, is_map: self.is_map, places: places.iter(), children })
    }
}

struct Walk<'b, 'v, T: Tree, C> {
    tree: &'v T,
    is_map: bool,
    places: std::slice::Iter<'b, OnceLock<Item<'v, T>>>,
    children: C,
}

impl<'b, 'v, 'w, T, C> traits::Iterator<'b, 'w> for Walk<'b, 'v, T, C>
where
    'v: 'w,
    T: Tree + 'w,
    Item<'v, T>: 'w,
    C: Iterator<Item = (Option<&'v str>, T::Node)>,
{
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        let (name, child) = self.children.next()?;
        let Some(place) = self.places.next() else {
            meter::exhaust();
            return None;
        };
        let item = place.get_or_init(|| match name {
            Some(name) if self.is_map => Item::Scalar(name.into()),
            _ => Item::of(self.tree, child),
        });
        meter::charge(item.cost()).then(|| item.as_val())
    }
}
