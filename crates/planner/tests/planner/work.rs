//! The work in plans.

use crate::folder::planned;
use maquette_planner::{Work, combinations, work};

#[test]
fn nothing_is_counted_twice() {
    let check = |text: &str, expected: Work| {
        let planned = planned(text);
        assert_eq!(work(&planned.plan, &planned.distinct).unwrap(), expected, "{text}");
    };
    check(
        "prompt = \"{a}\"\nsteps = 10\n[sweep]\na = [\"x\", \"y\"]\nseed = [1, 2, 3]\n",
        Work { pictures: 6, text_encodes: 3, image_encodes: 0, model_loads: 1, steps: 60 },
    );
    // Without guidance the negative prompt is not encoded; PNDM calls the UNet once more.
    check(
        "prompt = \"x\"\nguidance_scale = 1\nscheduler = \"pndm\"\nsteps = 10\n[sweep]\nseed = [1, 2, 2]\n",
        Work { pictures: 2, text_encodes: 1, image_encodes: 0, model_loads: 1, steps: 22 },
    );
    // A model that takes the guidance scale needs a negative prompt for the other one.
    check(
        "model = \"consistent\"\nprompt = \"x\"\nsteps = 10\n[sweep]\ntrue_cfg_scale = [1, 3]\n",
        Work { pictures: 2, text_encodes: 2, image_encodes: 0, model_loads: 1, steps: 20 },
    );
    // The same picture from two files is encoded once.
    check(
        "prompt = \"x\"\ninit_image = \"photos/a.jpg\"\nsteps = 10\n[sweep]\nstrength = [0.5, 1]\nmodel = [\"sketchbook\", \"big\"]\n",
        Work { pictures: 4, text_encodes: 4, image_encodes: 2, model_loads: 2, steps: 5 + 10 + 6 + 11 },
    );
    check(
        "prompt = \"x\"\nsteps = 10\n[sweep]\ninit_image = [\"\", \"photos/a.jpg\", \"photos/b.jpg\"]\nwidth = [64, 128]\n[[exclude]]\ninit_image = \"photos/b.jpg\"\nwidth = 64\n",
        Work { pictures: 5, text_encodes: 2, image_encodes: 3, model_loads: 1, steps: 20 + 24 },
    );
}

#[test]
fn finished_cells_are_not_counted() {
    let planned = planned(
        "prompt = \"{a}\"\nsteps = 10\n[sweep]\na = [\"x\", \"y\"]\nseed = [1, 2, 3]\n[[exclude]]\na = \"x\"\nseed = 1\n",
    );
    let left = work(&planned.plan, &planned.distinct[3..]).unwrap();
    assert_eq!(left, Work { pictures: 2, text_encodes: 2, image_encodes: 0, model_loads: 1, steps: 20 });
    assert_eq!(work(&planned.plan, &[]).unwrap(), Work::default());
}

#[test]
fn cells_are_represented_by_the_settings_that_were_asked_for() {
    let planned = planned(
        "prompt = \"{a}\"\n[sweep]\na = [\"x\", \"y\"]\nsteps = [10, 20]\nseed = [1, 2, 3]\n[[exclude]]\na = \"x\"\nsteps = 10\n",
    );
    let check = |names: &[&str], expected: &[(u32, &str, usize)]| {
        let found = combinations(&planned.plan, &planned.distinct, names).unwrap();
        let found: Vec<_> =
            found.iter().map(|(cell, count)| (cell.settings.steps, &*cell.settings.prompt, *count)).collect();
        assert_eq!(found, expected, "{names:?}");
    };
    check(&["steps"], &[(20, "x", 6), (10, "y", 3)]);
    check(&["steps", "prompt"], &[(20, "x", 3), (10, "y", 3), (20, "y", 3)]);
    check(&["width"], &[(20, "x", 9)]);
}
