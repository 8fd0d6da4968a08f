//! As much of Markdown and of the shell as the documents use.

/// A fenced block.
pub struct Block {
    /// The word behind the fence.
    pub language: String,
    /// What stands inside.
    pub body: String,
    /// The line of the fence, from 1.
    pub line: usize,
}

/// The fenced blocks of a text.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            if !inside {
                found.push(Block {
                    language: language.trim().to_string(),
                    body: String::new(),
                    line: number + 1,
                });
            }
            inside = !inside;
        } else if let Some(block) = found.last_mut().filter(|_| inside) {
            block.body.push_str(line);
            block.body.push('\n');
        }
    }
    found
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// Level and title of every heading.
pub fn headings(text: &str) -> Vec<(usize, String)> {
    prose(text)
        .filter_map(|line| {
            let level = line.chars().take_while(|c| *c == '#').count();
            let title = line.get(level..)?.strip_prefix(' ')?;
            (level > 0).then(|| (level, title.to_string()))
        })
        .collect()
}

/// The anchor of a heading, as the usual renderers make it.
pub fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// What stands between backticks in the text.
pub fn inline_code(text: &str) -> Vec<String> {
    let text: Vec<&str> = prose(text).collect();
    let joined = text.join("\n");
    joined.split('`').skip(1).step_by(2).map(|piece| piece.replace('\n', " ")).collect()
}

/// Targets of `[text](target)`.
pub fn links(text: &str) -> Vec<String> {
    let text: Vec<&str> = prose(text).collect();
    let joined = text.join("\n");
    joined.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_string())).collect()
}

/// The lines of a block, with those that end in a backslash joined to the next.
pub fn joined(body: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in body.lines() {
        let (text, more) = match line.strip_suffix('\\') {
            Some(text) => (text.trim_end(), true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(text.trim_start());
            }
            None => lines.push(text.to_string()),
        }
        open = more;
    }
    lines
}

/// The simple commands of a shell line, as words; a command substitution is commands of its own and one word.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars().peekable();
    let mut inner = Vec::new();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '$') if letters.peek() == Some(&'(') => {
                letters.next();
                let mut depth = 1;
                let mut text = String::new();
                for c in letters.by_ref() {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    if depth == 0 {
                        break;
                    }
                    text.push(c);
                }
                inner.extend(commands(&text));
                word.get_or_insert_default().push('x');
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '|' | ';' | '&') => {
                all.last_mut().unwrap().extend(word.take());
                all.push(Vec::new());
            }
            (None, '>' | '<') => {
                // The target of a redirection is no argument.
                word = None;
                while letters.next_if(|c| matches!(c, '>' | ' ')).is_some() {}
                while letters.next_if(|c| !c.is_whitespace()).is_some() {}
            }
            (None, c) if c.is_whitespace() => all.last_mut().unwrap().extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    all.last_mut().unwrap().extend(word);
    all.extend(inner);
    all.retain(|words| !words.is_empty());
    all
}
