//! Reads what the attribute was put on, as far as the attribute must know it, and refuses what cannot be an export.
//!
//! ```text
//! #[attributes] pub unsafe extern "C" fn name<'a>   (pattern: Type, ..)   -> Result where ..   { body }
//! ╰──────────────────── head ───────────────────╯   ╰── parameters ──╯    ╰───── tail ─────╯   ╰ body ╯
//! ```
//!
//! Everything else (whether types exist, whether a pattern fits) is left to the compiler, which sees the same tokens.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A function that C may be given.
pub(crate) struct Function {
    /// Everything in front of the parameters.
    pub(crate) head: TokenStream,
    /// The function's name as text.
    pub(crate) name: String,
    pub(crate) parentheses: Group,
    /// What stands in the parentheses.
    pub(crate) parameters: Vec<Parameter>,
    /// Everything between the parameters and the body.
    pub(crate) tail: TokenStream,
    /// The return type; `()` if none is written.
    pub(crate) result: TokenStream,
    pub(crate) body: Group,
}

/// One parameter.
pub(crate) struct Parameter {
    pub(crate) attributes: TokenStream,
    pub(crate) pattern: TokenStream,
    /// Whether the pattern is a name, with or without `mut`.
    pub(crate) is_named: bool,
    /// That name; a new one for any other pattern.
    pub(crate) name: Ident,
    pub(crate) ty: TokenStream,
}

/// Why the attribute cannot be used like this, and where the reason stands.
pub(crate) struct Refusal {
    message: String,
    place: Span,
}

const NOT_A_FUNCTION: &str =
    "`#[greenbridge::export]` goes on a function with a body: `pub extern \"C\" fn name(..) { .. }`";
const NO_ABI: &str = "C cannot call a function of Rust's own ABI: write `extern \"C\" fn`";
const UNWINDS: &str = "a panic of an export never unwinds into C, so its ABI is `extern \"C\"`; it is kept and resumed in \
    the Rust code that called C";
const GENERIC: &str = "C cannot choose type parameters: an export is a function with fixed types";

impl Function {
    /// Reads a function, or says why it cannot be exported.
    pub(crate) fn read(item: TokenStream) -> Result<Self, Refusal> {
        let mut tokens: Vec<TokenTree> = item.into_iter().collect();
        let body = match tokens.pop() {
            Some(last) => braces(&last).ok_or_else(|| Refusal::new(NOT_A_FUNCTION, last.span()))?,
            None => return Err(Refusal::new(NOT_A_FUNCTION, Span::call_site())),
        };
        let (name, after_name) = read_head(&tokens)?;
        let at_parameters = skip_lifetimes(&tokens, after_name)?;
        let Some(TokenTree::Group(parentheses)) = tokens.get(at_parameters) else {
            return Err(Refusal::new(NOT_A_FUNCTION, name.span()));
        };
        let parentheses = parentheses.clone();
        let parameters = read_parameters(&parentheses)?;
        let tail = tokens.split_off(at_parameters + 1);
        tokens.pop();
        let text = name.to_string();
        Ok(Self {
            head: tokens.into_iter().collect(),
            name: text.strip_prefix("r#").unwrap_or(&text).to_owned(),
            parentheses,
            parameters,
            result: read_result(&tail)?,
            tail: tail.into_iter().collect(),
            body,
        })
    }
}

/// Reads the attribute's own arguments: nothing, or `fallback = EXPR`.
pub(crate) fn read_fallback(arguments: TokenStream) -> Result<Option<TokenStream>, Refusal> {
    const EXPECTED: &str = "expected `#[greenbridge::export]` or `#[greenbridge::export(fallback = VALUE)]`";
    let mut tokens: Vec<TokenTree> = arguments.into_iter().collect();
    let Some(first) = tokens.first() else { return Ok(None) };
    let place = first.span();
    if tokens.last().is_some_and(|last| is_punct(last, ',')) {
        tokens.pop();
    }
    match tokens.as_slice() {
        [key, equals, value @ ..] if is_word(key, "fallback") && is_punct(equals, '=') && !value.is_empty() => {
            Ok(Some(value.iter().cloned().collect()))
        }
        _ => Err(Refusal::new(EXPECTED, place)),
    }
}

/// Whether `name` occurs in `tokens`, at any depth.
pub(crate) fn mentions(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(&group.stream(), name),
        token => is_word(&token, name),
    })
}

/// Checks attributes, visibility and qualifiers. Returns the function's name and the index of what follows it.
fn read_head(tokens: &[TokenTree]) -> Result<(Ident, usize), Refusal> {
    let mut abi = None;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        match (token, next) {
            (TokenTree::Punct(_), Some(TokenTree::Group(attribute))) if is_punct(token, '#') => {
                if attribute.stream().into_iter().next().is_some_and(|word| is_word(&word, "inline")) {
                    let message = "an export is never inlined: leave this attribute out";
                    return Err(Refusal::new(message, attribute.span()));
                }
                at += 1;
            }
            // The visibility: as the user wrote it, or in one piece as a macro by example passes it on.
            (TokenTree::Group(_), _) => {}
            (TokenTree::Ident(word), _) => match word.to_string().as_str() {
                "pub" | "unsafe" => {}
                "extern" => {
                    let Some(TokenTree::Literal(written)) = next else { return Err(Refusal::new(NO_ABI, word.span())) };
                    abi = Some(written);
                    at += 1;
                }
                "async" => {
                    let message =
                        "C cannot await: write an ordinary function, and `greenbridge::block_on(future)` in its body";
                    return Err(Refusal::new(message, word.span()));
                }
                "fn" => {
                    check_abi(abi, word.span())?;
                    let Some(TokenTree::Ident(name)) = next else { break };
                    return Ok((name.clone(), at + 2));
                }
                "const" => {
                    return Err(Refusal::new("an export runs when C calls it and cannot be `const`", word.span()));
                }
                _ => break,
            },
            _ => break,
        }
        at += 1;
    }
    Err(Refusal::new(NOT_A_FUNCTION, tokens.get(at).map_or_else(Span::call_site, TokenTree::span)))
}

fn check_abi(written: Option<&Literal>, at_fn: Span) -> Result<(), Refusal> {
    let Some(written) = written else { return Err(Refusal::new(NO_ABI, at_fn)) };
    match written.to_string().as_str() {
        "\"C\"" | "\"system\"" => Ok(()),
        "\"C-unwind\"" | "\"system-unwind\"" => Err(Refusal::new(UNWINDS, written.span())),
        _ => Err(Refusal::new("an export has the ABI that C calls: `extern \"C\"`", written.span())),
    }
}

/// Passes over `<'a, 'b: 'a>` and returns the index of what follows; anything but lifetimes is refused.
fn skip_lifetimes(tokens: &[TokenTree], at: usize) -> Result<usize, Refusal> {
    if !tokens.get(at).is_some_and(|token| is_punct(token, '<')) {
        return Ok(at);
    }
    let Some(length) = tokens[at..].iter().position(|token| is_punct(token, '>')) else {
        return Err(Refusal::new(NOT_A_FUNCTION, tokens[at].span()));
    };
    for parameter in tokens[at + 1..at + length].split(|token| is_punct(token, ',')) {
        if let Some(first) = parameter.first().filter(|first| !is_punct(first, '\'')) {
            return Err(Refusal::new(GENERIC, first.span()));
        }
    }
    Ok(at + length + 1)
}

fn read_parameters(list: &Group) -> Result<Vec<Parameter>, Refusal> {
    let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
    let parameters = split_at_commas(&tokens).into_iter().enumerate();
    parameters.map(|(index, tokens)| read_parameter(index, tokens)).collect()
}

/// Cuts at the commas that separate parameters: not at those inside `<..>`, whose ends are plain tokens.
fn split_at_commas(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if is_punct(token, '<') {
            depth += 1;
        } else if is_punct(token, '>') && !is_arrow(tokens, at.wrapping_sub(1)) {
            depth = depth.saturating_sub(1);
        } else if is_punct(token, ',') && depth == 0 {
            pieces.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    if start < tokens.len() {
        pieces.push(&tokens[start..]);
    }
    pieces
}

fn read_parameter(index: usize, tokens: &[TokenTree]) -> Result<Parameter, Refusal> {
    let mut start = 0;
    while tokens.get(start).is_some_and(|token| is_punct(token, '#')) {
        start += 2;
    }
    let (attributes, rest) = tokens.split_at(start.min(tokens.len()));
    if let Some(receiver) = rest.iter().take_while(|token| !is_punct(token, ':')).find(|token| is_word(token, "self")) {
        let message = "C has no `self`: take a pointer as an ordinary parameter";
        return Err(Refusal::new(message, receiver.span()));
    }
    let place = rest.first().map_or_else(Span::call_site, TokenTree::span);
    let Some(colon) = find_colon(rest) else {
        return Err(Refusal::new("expected a parameter with a type: `name: Type`", place));
    };
    let (pattern, ty) = (&rest[..colon], &rest[colon + 1..]);
    if let Some(generic) = ty.iter().find(|token| is_word(token, "impl")) {
        return Err(Refusal::new(GENERIC, generic.span()));
    }
    let own_name = match pattern {
        [TokenTree::Ident(name)] if name.to_string() != "_" => Some(name.clone()),
        [mutable, TokenTree::Ident(name)] if is_word(mutable, "mut") => Some(name.clone()),
        _ => None,
    };
    Ok(Parameter {
        is_named: own_name.is_some(),
        name: own_name.unwrap_or_else(|| Ident::new(&format!("argument_{index}"), Span::mixed_site())),
        attributes: attributes.iter().cloned().collect(),
        pattern: pattern.iter().cloned().collect(),
        ty: ty.iter().cloned().collect(),
    })
}

/// The colon between pattern and type: the first one that is not half of a `::`.
fn find_colon(tokens: &[TokenTree]) -> Option<usize> {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(colon) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint => at += 1,
            TokenTree::Punct(colon) if colon.as_char() == ':' => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Reads the return type out of `-> Type where ..`.
fn read_result(tail: &[TokenTree]) -> Result<TokenStream, Refusal> {
    if !is_arrow(tail, 0) {
        return Ok("()".parse().expect("the unit type is Rust"));
    }
    let result: Vec<TokenTree> = tail[2..].iter().take_while(|token| !is_word(token, "where")).cloned().collect();
    match result.as_slice() {
        [never] if is_punct(never, '!') => {
            let message = "an export returns to C, if only a fallback: write the type that C expects in place of `!`";
            Err(Refusal::new(message, never.span()))
        }
        [first, ..] if is_word(first, "impl") => Err(Refusal::new(GENERIC, first.span())),
        _ => Ok(result.into_iter().collect()),
    }
}

/// The body, also if a macro by example passes it on in one piece.
fn braces(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => group.stream().into_iter().next().as_ref().and_then(braces),
        Delimiter::Parenthesis | Delimiter::Bracket => None,
    }
}

/// Whether `->` begins at this index.
fn is_arrow(tokens: &[TokenTree], at: usize) -> bool {
    let joined = |token: &Punct| token.as_char() == '-' && token.spacing() == Spacing::Joint;
    matches!(tokens.get(at), Some(TokenTree::Punct(first)) if joined(first))
        && tokens.get(at + 1).is_some_and(|second| is_punct(second, '>'))
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_word(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word.to_string() == wanted)
}

impl Refusal {
    fn new(message: &str, place: Span) -> Self {
        Self { message: message.to_owned(), place }
    }

    /// `compile_error!` with the message, at the place of the reason.
    pub(crate) fn into_compile_error(self) -> TokenStream {
        let call = format!("::core::compile_error!({:?});", self.message);
        let tokens = call.parse::<TokenStream>().expect("a call of compile_error is Rust");
        let place = |mut token: TokenTree| {
            token.set_span(Span::call_site().located_at(self.place));
            token
        };
        tokens.into_iter().map(place).collect()
    }
}
