//! Reads a source file as far as the rules need: its words, and which modules of the crate it uses.

/// A word or a sign of the source, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// One file of the crate.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// The modules from the crate's root down to this file.
    pub modules: Vec<String>,
    /// What is compiled into the hub.
    pub tokens: Vec<Token>,
}

impl Source {
    /// The module that the file belongs to.
    pub fn top(&self) -> &str {
        self.modules.first().map_or("lib", String::as_str)
    }

    /// Each use of a module of this crate: its name and the line.
    pub fn uses(&self) -> Vec<(&str, usize)> {
        let mut uses = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.text.as_str() {
                "crate" => self.after_root(at + 1, &mut uses),
                "super" if at < 2 || self.tokens[at - 2].text != "super" => self.after_supers(at, &mut uses),
                _ => {}
            }
        }
        uses
    }

    /// `super::super::…`, as far as it leads to the root.
    fn after_supers<'s>(&'s self, mut at: usize, uses: &mut Vec<(&'s str, usize)>) {
        let mut up = 0;
        while self.is(at, "super") {
            up += 1;
            at += 2;
        }
        if up == self.modules.len() {
            self.after_root(at - 1, uses);
        }
    }

    /// What follows the crate's root: `::name`, or `::{name::…, name}`.
    fn after_root<'s>(&'s self, at: usize, uses: &mut Vec<(&'s str, usize)>) {
        if !self.is(at, "::") {
            return;
        }
        let Some(first) = self.tokens.get(at + 1) else { return };
        if first.text != "{" {
            uses.push((&first.text, first.line));
            return;
        }
        let (mut depth, mut begins) = (1, true);
        for token in &self.tokens[at + 2..] {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" if depth == 1 => return,
                "}" => depth -= 1,
                "," if depth == 1 => begins = true,
                _ if begins && depth == 1 => {
                    uses.push((&token.text, token.line));
                    begins = false;
                }
                _ => {}
            }
        }
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text == text)
    }
}

/// Words and signs, without comments, texts and lifetimes. `::` is one sign.
pub fn tokens(source: &str) -> Vec<Token> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), source, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if first == '"' || rest.starts_with("b\"") || rest.starts_with("c\"") {
            text(rest)
        } else if first == '\'' {
            character_or_lifetime(rest)
        } else if first.is_whitespace() {
            first.len_utf8()
        } else {
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(Token { text: rest[..length].to_owned(), line });
            length
        };
        line += rest[..skipped].matches('\n').count();
        rest = &rest[skipped..];
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r"…"`, `r#"…"#` and their kin, if that is what begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let after = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let inner = after.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(after.len() - inner.len()));
    let begin = rest.len() - inner.strip_prefix('"')?.len();
    Some(rest[begin..].find(&end).map_or(rest.len(), |found| begin + found + end.len()))
}

fn text(rest: &str) -> usize {
    let begin = rest.find('"').unwrap_or(0) + 1;
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(begin) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

fn character_or_lifetime(rest: &str) -> usize {
    let mut inner = rest[1..].chars();
    match (inner.next(), inner.next()) {
        (Some('\\'), _) => rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 3),
        (Some(one), Some('\'')) => one.len_utf8() + 2,
        _ => 1,
    }
}

/// `#[cfg(test)]`, and `#[cfg(any(test, feature = "fuzzing"))]` without its text.
const FOR_TESTS: [&[&str]; 2] = [
    &["#", "[", "cfg", "(", "test", ")", "]"],
    &["#", "[", "cfg", "(", "any", "(", "test", ",", "feature", "=", ")", ")", "]"],
];

/// Takes out what is compiled for tests and fuzzing only; returns the names of modules whose files are for those only.
pub fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut files, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        let here = |attribute: &&&[&str]| {
            tokens[at..].len() >= attribute.len()
                && tokens[at..].iter().zip(**attribute).all(|(token, text)| token.text == *text)
        };
        let Some(attribute) = FOR_TESTS.iter().find(here) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        at += attribute.len();
        let begin = at;
        let mut depth = 0_usize;
        while at < tokens.len() {
            match tokens[at].text.as_str() {
                "{" | "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                ";" if depth == 0 => {
                    let name = tokens[begin..at].iter().skip_while(|token| token.text != "mod").nth(1);
                    files.extend(name.map(|name| name.text.clone()));
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        at += 1;
    }
    (kept, files)
}
