//! Notes about cells that are the same picture.

use crate::folder::planned;

/// Checks the notes of an experiment with a reference picture.
fn check(rest: &str, expected: &[&str]) {
    let text = format!("prompt = \"a cat\"\ninit_image = \"me.png\"\nsteps = 10\n{rest}");
    assert_eq!(planned(&text).notes, expected, "{rest}");
}

#[test]
fn strengths_that_leave_as_many_steps_are_one_picture() {
    check(
        "[sweep]\nstrength = { from = 0.8, to = 0.85, step = 0.01 }\n",
        &["6 cells, 1 distinct: `strength` 0.8 to 0.85 all leave 8 steps"],
    );
    check(
        "[sweep]\nstrength = [0.1, 0.2, 0.15, 0.19]\n",
        &["4 cells, 2 distinct: `strength` 0.1, 0.15, 0.19 all leave 1 step"],
    );
    check(
        "[sweep]\nsteps = [10, 20]\nstrength = [0.8, 0.82]\n",
        &["4 cells, 2 distinct: `strength` 0.8 and 0.82 both leave 8 steps; \
           `strength` 0.8 and 0.82 both leave 16 steps"],
    );
    check("[sweep]\nstrength = [0.8, 0.9, 1]\n", &[]);
}

#[test]
fn unused_settings_make_no_difference() {
    check(
        "guidance_scale = 1\n[sweep]\nnegative_prompt = [\"\", \"blurry\"]\n",
        &["2 cells, 1 distinct: `negative_prompt` (empty) and blurry both have no effect without guidance"],
    );
    check(
        "[sweep]\nguidance_scale = [0, 0.5, 1, 7]\n",
        &["4 cells, 2 distinct: `guidance_scale` 0 to 1 all turn guidance off"],
    );
    check(
        "[sweep]\nguidance_scale = [1, 7]\nguidance_rescale = [0, 0.7]\n",
        &["4 cells, 3 distinct: `guidance_rescale` 0 and 0.7 both have no effect without guidance"],
    );
    check(
        "[sweep]\nscheduler = [\"ddim\", \"euler\"]\neta = [0, 1]\n",
        &["4 cells, 3 distinct: `eta` 0 and 1 both have no effect under euler"],
    );
    check(
        "[sweep]\nvariation_seed = [1, 2]\n",
        &["2 cells, 1 distinct: `variation_seed` 1 and 2 both have no effect at `variation_strength` 0"],
    );
    check(
        "[sweep]\nseed = [7, 4294967303]\n",
        &["2 cells, 1 distinct: `seed` 7 and 4294967303 both have the same low 32 bits, the only ones that \
           torch's CPU generator reads"],
    );
    check(
        "model = \"consistent\"\n[sweep]\nguidance_scale = [0.5, 1, 7]\nnegative_prompt = [\"\", \"blurry\"]\n",
        &["6 cells, 3 distinct: `negative_prompt` (empty) and blurry both have no effect without guidance"],
    );
    check(
        "model = \"consistent\"\nguidance_scale = 7\n[sweep]\nguidance_rescale = [0, 0.7]\n",
        &["2 cells, 1 distinct: `guidance_rescale` 0 and 0.7 both have no effect without guidance"],
    );
    check(
        "[sweep]\nguidance_interval = [\"0-1\", \"0.2-0.8\", \"0.2-0.82\"]\n",
        &["3 cells, 2 distinct: `guidance_interval` 0.2-0.8 and 0.2-0.82 both guide the same steps"],
    );
    check(
        "guidance_scale = 1\n[sweep]\nguidance_interval = [\"0-1\", \"0.2-0.8\"]\n",
        &["2 cells, 1 distinct: `guidance_interval` 0-1 and 0.2-0.8 both have no effect without guidance"],
    );
    check(
        "[sweep]\ndeepcache_interval = [2, 20, 30]\n",
        &[
            "3 cells, 2 distinct: `deepcache_interval` 20 and 30 both compute the whole UNet in the same steps",
        ],
    );
    check(
        "[sweep]\ndeepcache_interval = [1, 3]\ndeepcache_branch_id = [0, 2]\n",
        &["4 cells, 3 distinct: `deepcache_branch_id` 0 and 2 both have no effect at `deepcache_interval` 1"],
    );
    check("noise = \"torch-cuda\"\n[sweep]\nseed = [7, 4294967303]\n", &[]);
}

#[test]
fn other_merges_are_noted_without_a_reason() {
    check("[sweep]\nseed = [1, 2, 1]\n", &["3 cells, 2 distinct: `seed` is 1 twice"]);
    check(
        "[zip.both]\nlabel = [\"a\", \"b\"]\nstrength = [0.8, 0.81]\nguidance_scale = [7, 7]\n",
        &["2 cells, 1 distinct: `both` a and b make no difference"],
    );
}

#[test]
fn loras_of_weight_zero_are_merged_with_none() {
    check(
        "[sweep]\nlora = [\"none\", \"style:0\", \"style:0.5\"]\n",
        &["3 cells, 2 distinct: `lora` none and style:0 both change nothing at weight 0"],
    );
}

#[test]
fn settings_without_their_picture_are_noted() {
    let note = |rest: &str, expected: &[&str]| {
        assert_eq!(planned(&format!("prompt = \"a cat\"\n{rest}")).notes, expected, "{rest}");
    };
    note("strength = 0.5\n", &["`strength` has no effect without `init_image`"]);
    note("fit = \"top\"\n", &["`fit` has no effect without `init_image`"]);
    let branch = "`deepcache_branch_id` has no effect without a `deepcache_interval` above 1";
    note("deepcache_branch_id = 2\n", &[branch]);
    note("deepcache_branch_id = 2\n[sweep]\ndeepcache_interval = [1, 3]\n", &[]);
    // The experiment of a run sets every setting.
    note("strength = 0.8\nfit = \"crop\"\n", &[]);
    note("strength = 0.5\n[sweep]\ninit_image = [\"\", \"me.png\"]\n", &[]);
}
