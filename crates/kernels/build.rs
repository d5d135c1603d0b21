//! Compiles the CUDA kernels to PTX; only with the feature `cuda`, which needs nvcc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    {
        println!("cargo::rerun-if-changed=src/cuda");
        let folder = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
        // Absent subnormals, approximate divisions and the like of `--use_fast_math` would change pictures.
        cudaforge::KernelBuilder::new()
            .source_dir("src/cuda")
            .watch(["src/cuda/common.cuh"])
            .args(["-std=c++17", "-O3"])
            .build_ptx()?
            .write(folder.join("ptx.rs"))?;
    }
    Ok(())
}
