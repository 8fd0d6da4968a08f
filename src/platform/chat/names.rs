//! Names in a room. Two that look alike are one: composed and compatible forms, cases and letters of other scripts
//! (Latin `a`, Cyrillic `а`) do not make another name.

use super::person::PersonId;
use super::text::turns;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// Characters of a name.
const CHARS: std::ops::RangeInclusive<usize> = 2..=24;

/// Names that say more than a viewer may say of himself.
const STAFF: &[&str] = &[
    "admin",
    "administrator",
    "bot",
    "host",
    "mod",
    "moderator",
    "msconv",
    "official",
    "operator",
    "owner",
    "root",
    "server",
    "staff",
    "streamer",
    "support",
    "system",
    "админ",
    "администратор",
    "ведущий",
    "модератор",
    "оператор",
    "поддержка",
    "сервер",
    "система",
];

/// What makes a name another: no two people have one of these in common.
type Looks = [String; 2];

/// The name as it is shown; none if it may be no name.
pub fn cleaned(name: &str) -> Option<String> {
    // Longer than any name of composed characters; what is below is not done for megabytes.
    if name.len() > 1024 {
        return None;
    }
    let name: String = name.nfc().collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = !name.chars().any(|c| c.is_control() || turns(c) || unseen(c));
    (plain && CHARS.contains(&name.chars().count()) && name.chars().any(char::is_alphanumeric))
        .then_some(name)
}

/// Whether a character has no look of its own, or one that only its font knows.
fn unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2028}'..='\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

fn looks(name: &str) -> Looks {
    let same: String = name.nfkc().filter(|c| c.is_alphanumeric() || !c.is_ascii()).collect();
    let small = folded(&same);
    // Large letters may be alike where the small ones are not (В and B, в and b), and the other way round.
    [skeleton(&small).collect(), folded(&skeleton(&same).collect::<String>())]
}

/// Case folding: by way of large letters, so that `ß` is `ss`. Letter by letter, since a final sigma is a sigma.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Whether it may be a moderator's name alone: one of the staff, or one like those that are given.
pub fn is_reserved(name: &str) -> bool {
    let own = looks(name);
    let staff = STAFF.iter().any(|word| looks(word).iter().any(|look| own.contains(look)));
    staff || own.iter().any(|look| look.starts_with(&looks("viewer")[0]))
}

/// Who has which name.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, PersonId>);

impl Names {
    /// Gives a name to somebody, in the place of the one he has; false if another has one that looks like it.
    pub fn take(&mut self, person: PersonId, old: Option<&str>, new: &str) -> bool {
        let looks = looks(new);
        if looks.iter().any(|look| self.0.get(look).is_some_and(|owner| *owner != person)) {
            return false;
        }
        if let Some(old) = old {
            self.give_up(person, old);
        }
        self.0.extend(looks.into_iter().map(|look| (look, person)));
        true
    }

    /// Somebody has the name no more.
    pub fn give_up(&mut self, person: PersonId, name: &str) {
        for look in looks(name) {
            if self.0.get(&look) == Some(&person) {
                self.0.remove(&look);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_have_a_form() {
        for (name, shown) in
            [("Ann", "Ann"), ("  Ann\u{a0} Lee ", "Ann Lee"), ("Ёж 7", "Ёж 7"), ("e\u{301}a", "éa")]
        {
            assert_eq!(cleaned(name).as_deref(), Some(shown), "{name}");
        }
        let long = "a".repeat(25);
        for bad in ["", "a", "  ", "--", &long, "a\u{202e}b", "a\0b", "a\u{200b}b", "🙂🙂", "a\u{e001}b"]
        {
            assert_eq!(cleaned(bad), None, "{bad:?}");
        }
        assert_eq!(cleaned(&"a".repeat(24)).map(|n| n.len()), Some(24));
    }

    #[test]
    fn names_that_look_alike_are_one() {
        let (ann, bob) = (PersonId::of("ann"), PersonId::of("bob"));
        for (first, second) in [
            ("Anna", "anna"),
            ("paypal", "раураl"),
            ("ВОВА", "BOBA"),
            ("ВОВА", "вова"),
            ("Straße", "STRASSE"),
            ("ﬁne", "fine"),
            ("Ａnn", "Ann"),
            ("ann lee", "Ann-Lee"),
            ("Σας", "σασ"),
            ("corn", "com"),
        ] {
            let mut names = Names::default();
            assert!(names.take(ann, None, first));
            let free = names.take(bob, None, second);
            assert!(!free, "{first} {second}");
            // Their owner may write them so.
            assert!(names.take(ann, Some(first), second));
            names.give_up(ann, second);
            assert!(names.take(bob, None, first) && names.0.len() <= 2);
        }
        let mut names = Names::default();
        assert!(names.take(ann, None, "anna") && names.take(bob, None, "bob"));
    }

    #[test]
    fn staff_names_are_reserved() {
        for name in [
            "Admin",
            "аdmin",
            "M0DERATOR".replace('0', "O").as_str(),
            "Модератор",
            "m s c o n v",
            "viewer-4f2c",
            "Viewer",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["ann", "administer", "view"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_plain_name_or_none(name in any::<String>()) {
            if let Some(name) = cleaned(&name) {
                prop_assert!(CHARS.contains(&name.chars().count()));
                prop_assert_eq!(cleaned(&name), Some(name.clone()));
                let mut names = Names::default();
                prop_assert!(names.take(PersonId::of("a"), None, &name));
                prop_assert!(!names.take(PersonId::of("b"), None, &name));
                prop_assert!(!names.take(PersonId::of("b"), None, &name.to_lowercase()));
                names.give_up(PersonId::of("a"), &name);
                prop_assert!(names.0.is_empty());
            }
        }
    }
}
