//! `.config/nextest.toml` against the tests: a module that it names and that is not there would leave its tests without
//! their group, and nobody would notice.

use crate::golden::root;

/// The modules that the filters of `text` name, as in `test(/^(efforts|regression::the_ladder)::/)`.
fn named(text: &str) -> Vec<&str> {
    let filters =
        text.split("test(/^").skip(1).filter_map(|rest| rest.split_once("/)")).map(|(filter, _)| filter);
    filters
        .flat_map(|filter| filter.trim_end_matches("::").trim_matches(['(', ')']).split('|'))
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_module_that_a_group_names_is_there() {
    let text = std::fs::read_to_string(root().join(".config/nextest.toml")).unwrap();
    let names = named(&text);
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        let path = root().join("tests/it").join(name.replace("::", "/")).with_extension("rs");
        assert!(path.is_file(), ".config/nextest.toml names {name}, and there is no {}", path.display());
    }
}

#[test]
fn the_check_bites() {
    let text = "filter = 'test(/^(one|two::three)::/)'\nfilter = 'test(/^four::/) + kind(lib)'\n";
    assert_eq!(named(text), ["one", "two::three", "four"]);
    assert!(named("filter = 'kind(lib)'").is_empty());
}
