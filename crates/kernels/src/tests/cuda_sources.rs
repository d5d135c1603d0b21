//! The parameters of the CUDA kernels, which nothing checks when they are started.

/// All sources with kernels.
const SOURCES: [(&str, &str); 4] = [
    ("attention.cu", include_str!("../cuda/attention.cu")),
    ("elementwise.cu", include_str!("../cuda/elementwise.cu")),
    ("im2col.cu", include_str!("../cuda/im2col.cu")),
    ("norm.cu", include_str!("../cuda/norm.cu")),
];

/// `launch.rs` passes pointers, 32-bit counts and floats. A 64-bit count would be read beyond its end.
#[test]
fn parameters_are_pointers_counts_and_floats() {
    for (file, source) in SOURCES {
        let kernels = source.split("extern \"C\" __global__").skip(1);
        let mut count = 0;
        for kernel in kernels {
            let (_, kernel) = kernel.split_once("void").unwrap();
            let bounded = kernel.split_once("__launch_bounds__").and_then(|(_, rest)| rest.split_once(')'));
            let kernel = bounded.filter(|_| kernel.trim().starts_with("__")).map_or(kernel, |(_, rest)| rest);
            let parameters = kernel.split_once('(').unwrap().1.split_once(')').unwrap().0;
            for parameter in parameters.replace('\\', " ").split(',') {
                let words: Vec<&str> = parameter.split_whitespace().filter(|word| *word != "const").collect();
                let [kind, name] = words[..] else { panic!("{file}: {parameter}") };
                let known = ["T*", "float*", "unsigned", "int", "float"].contains(&kind);
                assert!(known, "{file}: `{name}` is a `{kind}`");
            }
            count += 1;
        }
        assert!(count > 0, "{file} has no kernels");
    }
}
