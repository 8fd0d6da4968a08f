//! Rust source as tokens: enough to see which paths a file names, without comments, string contents and test code.
//! Deliberately no parser: macros stay opaque token lists, so paths inside `json!(...)` are seen as well.

/// One token and the line it stands on. Strings and characters become `"` and `'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// An identifier, `::`, or one punctuation character.
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

/// The tokens of `source` without comments.
pub fn tokens(source: &str) -> Vec<Token> {
    let letters: Vec<char> = source.chars().collect();
    let mut reader = Reader { letters: &letters, at: 0, line: 1, out: Vec::new() };
    reader.run();
    reader.out
}

struct Reader<'a> {
    letters: &'a [char],
    at: usize,
    line: usize,
    out: Vec<Token>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.letters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn next(&mut self) -> char {
        let letter = self.peek(0);
        self.at += 1;
        if letter == '\n' {
            self.line += 1;
        }
        letter
    }

    fn push(&mut self, text: impl Into<String>, line: usize) {
        self.out.push(Token { text: text.into(), line });
    }

    fn run(&mut self) {
        while self.at < self.letters.len() {
            let line = self.line;
            match (self.peek(0), self.peek(1)) {
                (c, _) if c.is_whitespace() => {
                    self.next();
                }
                ('/', '/') => {
                    while self.at < self.letters.len() && self.peek(0) != '\n' {
                        self.next();
                    }
                }
                ('/', '*') => self.block_comment(),
                ('"', _) => self.quoted(line),
                ('\'', _) => self.quote_or_lifetime(line),
                (c, _) if c.is_alphabetic() || c == '_' => self.word(line),
                (c, _) if c.is_ascii_digit() => {
                    while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                        self.next();
                    }
                    self.push("0", line);
                }
                (':', ':') => {
                    self.at += 2;
                    self.push("::", line);
                }
                (c, _) => {
                    self.next();
                    self.push(c, line);
                }
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.letters.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.at += 2;
                }
                ('*', '/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {
                    self.next();
                }
            }
        }
    }

    fn quoted(&mut self, line: usize) {
        self.next();
        while self.at < self.letters.len() {
            match self.next() {
                '\\' => {
                    self.next();
                }
                '"' => break,
                _ => {}
            }
        }
        self.push("\"", line);
    }

    fn quote_or_lifetime(&mut self, line: usize) {
        self.next();
        if self.peek(0) == '\\' {
            self.next();
            self.next();
            while self.at < self.letters.len() && self.next() != '\'' {}
            self.push("'", line);
        } else if self.peek(1) == '\'' {
            self.next();
            self.next();
            self.push("'", line);
        } else {
            while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                self.next();
            }
        }
    }

    fn word(&mut self, line: usize) {
        let start = self.at;
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.next();
        }
        let word: String = self.letters.get(start..self.at).unwrap_or_default().iter().collect();
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        match self.peek(0) {
            '"' if raw => self.raw_string(0, line),
            '"' if matches!(word.as_str(), "b" | "c") => self.quoted(line),
            '\'' if word == "b" => self.quote_or_lifetime(line),
            '#' if raw => {
                let mut hashes = 0;
                while self.peek(hashes) == '#' {
                    hashes += 1;
                }
                if self.peek(hashes) == '"' {
                    self.at += hashes;
                    self.raw_string(hashes, line);
                } else {
                    // r#type is the identifier `type`.
                    self.at += 1;
                    self.word(line);
                }
            }
            _ => self.push(word, line),
        }
    }

    fn raw_string(&mut self, hashes: usize, line: usize) {
        self.next();
        while self.at < self.letters.len() {
            if self.next() == '"' && (0..hashes).all(|n| self.peek(n) == '#') {
                self.at += hashes;
                break;
            }
        }
        self.push("\"", line);
    }
}

/// `tokens` without the items under `#[cfg(test)]`, which may do what production code may not.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let here: Vec<&str> = (at..at + 7).map(text).collect();
        if here == ["#", "[", "cfg", "(", "test", ")", "]"] {
            at = end_of_item(tokens, at + 7);
        } else {
            kept.extend(tokens.get(at).cloned());
            at += 1;
        }
    }
    kept
}

/// Where the item that begins at `at` ends: behind its closing brace or its semicolon.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0i32;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && token.text == "}" {
                    break;
                }
            }
            ";" if depth == 0 => break,
            _ => {}
        }
    }
    at
}
