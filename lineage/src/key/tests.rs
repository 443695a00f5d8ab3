//! Pinned vectors, each with the bytes it is made from written out by hand.

use super::*;

/// The bytes that every key of version 1 begins with.
fn prefix(domain: &str) -> Vec<u8> {
    let mut bytes = (domain.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(domain.as_bytes());
    bytes.extend_from_slice(&1u32.to_le_bytes());
    bytes
}

/// A key made from parts, independently of `Fields`.
fn by_hand(domain: &str, parts: &[&[u8]]) -> Key {
    let mut bytes = prefix(domain);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    Key(*blake3::hash(&bytes).as_bytes())
}

fn sample_upload() -> Key {
    Key::upload((3, 2), &blake3::hash(b"content"))
}

fn sample_file() -> FileIdentity {
    FileIdentity {
        size: 1_000,
        mtime_ns: 1_700_000_000_000_000_001,
        ctime_ns: -2,
        device: 7,
        inode: 11,
        footer: [0xab; 32],
        content: None,
    }
}

fn leaf(files: Vec<FileIdentity>) -> Key {
    Key::dataset(&DatasetLeaf { files, canonical_read: b"columns" })
}

#[test]
fn apply_is_pinned() {
    let input = sample_upload();
    let nullary = Key::apply(b"rand", &[]);
    let binary = Key::apply(b"matmul", &[input, nullary]);
    assert_eq!(nullary.to_hex(), "dacfae9e1c8e5b76b0968a11d8f1810959f8f7170f6d3b9c8719c02dc10af7c3");
    assert_eq!(binary.to_hex(), "3c691fd774aa25a36049ef98b39ef9f31655ad4630da2d975e331f68e2ab1b1b");
    let spelled = by_hand(
        "fondaco.lineage.apply",
        &[&6u64.to_le_bytes(), b"matmul", &2u64.to_le_bytes(), input.as_bytes(), nullary.as_bytes()],
    );
    assert_eq!(binary, spelled);
}

#[test]
fn upload_is_pinned() {
    let key = sample_upload();
    assert_eq!(key.to_hex(), "cb655f80b70570dd36d46bd9e6274db436aa38db4963cb2870e0ced3a4b66ba6");
    let spelled = by_hand(
        "fondaco.lineage.upload",
        &[&3u64.to_le_bytes(), &2u64.to_le_bytes(), blake3::hash(b"content").as_bytes()],
    );
    assert_eq!(key, spelled);
}

#[test]
fn dataset_is_pinned() {
    let digested = FileIdentity { content: Some([0xcd; 32]), ..sample_file() };
    let key = leaf(vec![sample_file(), digested]);
    assert_eq!(key.to_hex(), "d614e0c8f398f7c2877e55109bcf2bbe75e422fba99c13740dcb4a7635872dbe");
    let stat: [&[u8]; 6] = [
        &1_000u64.to_le_bytes(),
        &1_700_000_000_000_000_001i128.to_le_bytes(),
        &(-2i128).to_le_bytes(),
        &7u64.to_le_bytes(),
        &11u64.to_le_bytes(),
        &[0xab; 32],
    ];
    let stat = stat.concat();
    let spelled = by_hand(
        "fondaco.lineage.dataset",
        &[&7u64.to_le_bytes(), b"columns", &2u64.to_le_bytes(), &stat, &[0], &stat, &[1], &[0xcd; 32]],
    );
    assert_eq!(key, spelled);
}

#[test]
fn every_part_of_a_file_counts() {
    let base = sample_file();
    let mut keys = vec![leaf(vec![]), leaf(vec![base.clone()]), leaf(vec![base.clone(); 2])];
    let changes: [fn(&mut FileIdentity); 7] = [
        |file| file.size += 1,
        |file| file.mtime_ns += 1,
        |file| file.ctime_ns += 1,
        |file| file.device += 1,
        |file| file.inode += 1,
        |file| file.footer[31] ^= 1,
        |file| file.content = Some([0; 32]),
    ];
    for change in changes {
        let mut file = base.clone();
        change(&mut file);
        keys.push(leaf(vec![file.clone()]));
        keys.push(leaf(vec![base.clone(), file.clone()]));
        keys.push(leaf(vec![file, base.clone()]));
    }
    keys.push(Key::dataset(&DatasetLeaf { files: vec![base], canonical_read: b"column" }));
    assert_distinct(keys);
}

#[test]
fn nothing_is_ambiguous() {
    let a = sample_upload();
    let b = Key::apply(b"rand", &[]);
    let mut op_with_input = b"t".to_vec();
    op_with_input.extend_from_slice(a.as_bytes());
    assert_distinct(vec![
        a,
        b,
        Key::apply(b"t", &[a, b]),
        Key::apply(b"t", &[b, a]),
        Key::apply(b"t", &[a]),
        Key::apply(b"t", &[a, a]),
        Key::apply(&op_with_input, &[]),
        Key::apply(b"", &[]),
        Key::upload((2, 3), &blake3::hash(b"content")),
        Key::upload((3, 2), &blake3::hash(b"")),
        leaf(vec![]),
    ]);
}

#[test]
fn debug_is_short_and_keeps_files_private() {
    let key = sample_upload();
    assert_eq!(format!("{key:?}"), key.to_hex()[..8]);
    let shown =
        format!("{:?} {:?}", sample_file(), DatasetLeaf { files: vec![sample_file()], canonical_read: b"age > 90" });
    assert_eq!(shown, "FileIdentity { .. } DatasetLeaf { files: 1, canonical_read_bytes: 8 }");
}

fn assert_distinct(mut keys: Vec<Key>) {
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}
