//! What only the inside of the index shows: its invariants, and that nodes are used again.
//! What it answers is held against a plain list in `tests/granules.rs`.

use super::GranuleMap;

/// Spans come and go in an order without pattern, and the tree stays well formed throughout:
/// while it grows, at its largest, and while it is taken down.
#[test]
fn the_invariants_hold_while_it_grows_and_shrinks() {
    const SPANS: u32 = 3000;
    let scattered = |index: u32| index.wrapping_mul(0x9E37_79B1) % 4096 * 5;
    let mut map = GranuleMap::new(0, 1 << 20);
    for index in 0..SPANS {
        map.insert(scattered(index), 1 + index % 5, index);
        if index % 16 == 0 {
            map.assert_invariants();
        }
    }
    for index in 0..SPANS {
        assert_eq!(map.remove(scattered(SPANS - 1 - index)), Some(SPANS - 1 - index));
        if index % 16 == 0 {
            map.assert_invariants();
        }
    }
    assert!(map.is_empty());
}

#[test]
fn nodes_and_slots_are_used_again() {
    let mut map = GranuleMap::new(0, 1 << 20);
    let mut most = 0;
    for round in 0..8 {
        for index in 0..4096_u32 {
            let index = index.wrapping_mul(0x9E37_79B1) % 4096;
            map.insert(index * 3 + round, 2, index);
        }
        if round == 0 {
            most = map.tree.capacity_in_nodes();
        }
        assert_eq!(map.tree.capacity_in_nodes(), most);
        assert!(map.values.len() <= 4096);
        let starts: Vec<u32> = map.iter().map(|span| span.start).collect();
        starts.into_iter().for_each(|start| assert!(map.remove(start).is_some()));
        map.assert_invariants();
    }
}
