//! Fields that a component gave, made into a tree: what makes none is refused.

#![allow(clippy::unwrap_used)]

use wicketgate_plugin::{Field, Value as Told};

use super::build;
use crate::fields::{Bounds, Builder, Fields, Path, Shown, Tree, Undecodable};

const UNSOUND: Undecodable = Undecodable::Unanswered("plugin_answer");

fn named(name: &str, value: Told) -> Field {
    Field { name: Some(name.into()), value }
}

const fn plain(value: Told) -> Field {
    Field { name: None, value }
}

fn tree(fields: &[Field]) -> Result<Tree, Undecodable> {
    let (mut tree, bounds) = (Tree::default(), Bounds { depth: 3, ..Bounds::default() });
    build(fields, &mut Builder::new(&mut tree, b"payload", &bounds)?)?;
    Ok(tree)
}

#[test]
fn fields_stand_where_the_component_put_them() {
    let tree = tree(&[
        plain(Told::Map(3)),
        named("kind", Told::Text("reading".into())),
        named("values", Told::List(2)),
        plain(Told::Uint(7)),
        plain(Told::Uint(u64::MAX)),
        named("empty", Told::Map(0)),
    ])
    .unwrap();
    let fields = Fields::new(&tree, b"payload");
    let at = |path: &str| path.parse::<Path>().unwrap().first(&fields).map(|field| field.show());
    assert_eq!(at("kind"), Some(Shown::Text("reading")));
    assert_eq!(at("values[0]"), Some(Shown::Int(7)), "a number has one form");
    assert_eq!(at("values[1]"), Some(Shown::Uint(u64::MAX)));
    assert_eq!(at("empty"), Some(Shown::Map(0)));
}

#[test]
fn what_makes_no_tree_is_the_components_fault() {
    for fields in [
        vec![],
        vec![plain(Told::List(1))],
        vec![plain(Told::Map(2)), named("a", Told::Null)],
        vec![plain(Told::Null), plain(Told::Null)],
        vec![plain(Told::Map(0)), named("a", Told::Null)],
        vec![named("a", Told::Null)],
        vec![plain(Told::Map(1)), plain(Told::Null)],
        vec![plain(Told::List(1)), named("a", Told::Null)],
        vec![plain(Told::List(u32::MAX))],
    ] {
        assert_eq!(tree(&fields).err(), Some(UNSOUND), "{fields:?}");
    }
    let twice = [plain(Told::Map(2)), named("a", Told::Null), named("a", Told::Null)];
    assert_eq!(tree(&twice).err(), Some(Undecodable::DuplicateKey));
    let deep: Vec<Field> = std::iter::repeat_n(plain(Told::List(1)), 4).chain([plain(Told::Null)]).collect();
    assert_eq!(tree(&deep).err(), Some(Undecodable::Depth));
}
