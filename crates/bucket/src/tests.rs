//! A bucket in memory.

use crate::Bucket;
use object_store::memory::InMemory;
use std::sync::Arc;
use std::time::Duration;

fn bucket(prefix: &str) -> Bucket {
    let store = Arc::new(InMemory::new());
    Bucket::over("s3://bucket/runs", prefix, store.clone(), store, Duration::ZERO).unwrap()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn objects_are_created_once_and_found_by_their_keys() {
    for bucket in [bucket(""), bucket("some/runs")] {
        assert!(bucket.create("cats/1/plan.json", b"one").unwrap());
        assert!(!bucket.create("cats/1/plan.json", b"two").unwrap());
        bucket.put("cats/1/rows/0/a.csv", b"a".to_vec()).unwrap();
        bucket.put("cats/2/plan.json", b"two".to_vec()).unwrap();
        assert_eq!(bucket.get("cats/1/plan.json").unwrap().unwrap().content, b"one");
        assert_eq!(bucket.get("cats/1").unwrap(), None);
        assert_eq!(sorted(bucket.list("cats/1/").unwrap()), ["plan.json", "rows/0/a.csv"]);
        assert_eq!(sorted(bucket.folders("cats/").unwrap()), ["1", "2"]);
        assert_eq!(bucket.folders("").unwrap(), ["cats"]);
        assert_eq!(
            (bucket.exists("cats/2/plan.json").unwrap(), bucket.exists("cats/2").unwrap()),
            (true, false)
        );
        let keys = ["cats/2/plan.json", "dogs", "cats/1/plan.json"].map(str::to_owned);
        let contents = bucket.get_all(&keys).unwrap().into_iter().map(|object| Some(object?.content));
        assert_eq!(contents.collect::<Vec<_>>(), [Some(b"two".to_vec()), None, Some(b"one".to_vec())]);
        bucket.remove(&keys).unwrap();
        assert_eq!(bucket.list("cats/").unwrap(), ["1/rows/0/a.csv"]);
    }
}

#[test]
fn an_object_is_replaced_only_if_it_is_what_was_read() {
    let bucket = bucket("runs");
    let replace = |content: &str, seen: Option<&crate::Version>| {
        bucket.replace("cats/1/log.csv", content.as_bytes(), seen).unwrap()
    };
    let read = || bucket.get("cats/1/log.csv").unwrap().unwrap();
    assert!(replace("one", None));
    assert!(!replace("two", None), "there is one by now");
    let first = read();
    assert!(replace("two", Some(&first.version)));
    assert!(!replace("three", Some(&first.version)), "another was written meanwhile");
    assert_eq!(read().content, b"two");
    bucket.remove(&["cats/1/log.csv".to_owned()]).unwrap();
    assert!(!replace("three", Some(&first.version)), "it was removed meanwhile");
    assert_eq!(bucket.get("cats/1/log.csv").unwrap(), None);
}

#[test]
fn of_many_that_create_an_object_one_succeeds() {
    let bucket = bucket("");
    let won = std::thread::scope(|scope| {
        let create = |worker: u8| {
            let bucket = &bucket;
            scope.spawn(move || bucket.create("claims/0/1.1", &[worker]).unwrap())
        };
        let threads: Vec<_> = (0..8).map(create).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn addresses_name_a_bucket() {
    for address in ["s3://", "s3:///runs", "gs://bucket/runs", "https://bucket.example/runs", "file:///runs"]
    {
        let error = Bucket::open(address, &[], Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("allowed: s3://BUCKET or s3://BUCKET/PREFIX"), "{error}");
    }
}
