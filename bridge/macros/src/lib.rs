//! The attribute `#[greenbridge::export]`; use it through the crate `greenbridge`, which re-exports it.
//!
//! It is put on an ordinary function and wraps its body, so that what the reader sees is what C gets:
//!
//! ```text
//! #[greenbridge::export(fallback = -1)]           #[inline(never)]
//! #[unsafe(no_mangle)]                            #[unsafe(no_mangle)]
//! pub extern "C" fn on_row(mut row: Row)          pub extern "C" fn on_row(row: Row) -> c_int {
//!     -> c_int                              =>        callback(
//! {                                                       { static SITE: Site = Site::new("on_row", ..); &SITE },
//!     body                                                Declared(move || -> c_int { -1 }),
//! }                                                       move || -> c_int {
//!                                                             let mut row = row;
//!                                                             match () { () => { body } }
//!                                                         },
//!                                                     )
//!                                                 }
//! ```
//!
//! * The closure takes every argument, also one that the body does not use, so that each is dropped inside the gate and
//!   the panic boundary. Each is bound again under the pattern that the user wrote: what the compiler has to say
//!   about unused names is the same with and without the attribute.
//! * The arm of a `match` drops the temporaries of its last expression before what is around it, here the arguments. So
//!   does a function; a plain block does not before edition 2024.
//! * The user's tokens keep their spans, so errors point to them.
//! * No `unsafe` is added. The body of an `unsafe fn` is as unsafe inside the closure as outside.
//!
//! `function.rs` reads the function, this file writes the new one.

mod function;

use function::{Function, Parameter, Refusal};
use proc_macro::{Group, Literal, Span, TokenStream, TokenTree};

/// Makes a function callable by C from any thread, at any time; its body may wait and may panic.
///
/// The book's chapter `docs/called-by-c.md` tells what happens on the way in and out.
///
/// * `#[greenbridge::export]`: if the body panics inside a call that Rust made, C gets a zero, a null or a `false`.
/// * `#[greenbridge::export(fallback = EXPR)]`: C gets the value of `EXPR` then, and also where no call of Rust's is
///   there to receive the panic, or the runtime could not be started. `EXPR` may name arguments that are `Copy`.
///
/// The function is an `extern "C" fn` or an `unsafe extern "C" fn`, without type parameters. `#[unsafe(no_mangle)]` is
/// up to the author: a function that is given to C as a pointer needs no name.
///
/// The crate states once, in its root, what it promises: `const GREENBRIDGE: greenbridge::Start = ...;`.
#[proc_macro_attribute]
pub fn export(arguments: TokenStream, item: TokenStream) -> TokenStream {
    // What was refused stays in the program, so that the refusal is not followed by complaints that it is missing.
    expand(arguments, item.clone())
        .unwrap_or_else(|refusal| TokenStream::from_iter([refusal.into_compile_error(), item]))
}

fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Refusal> {
    let fallback = function::read_fallback(arguments)?;
    let function = Function::read(item)?;
    let body = fill(
        "::greenbridge::__private::callback(
            {
                static SITE: ::greenbridge::__private::Site = ::greenbridge::__private::Site::new(NAME, {
                    use ::greenbridge::__private::missing::GREENBRIDGE;
                    {
                        use crate::*;
                        &GREENBRIDGE
                    }
                });
                &SITE
            },
            FALLBACK,
            move || -> RESULT { ARGUMENTS match () { () => BODY } },
        )",
        &[
            ("NAME", TokenTree::from(Literal::string(&function.name)).into()),
            ("FALLBACK", write_fallback(fallback.as_ref(), &function.result)),
            ("RESULT", function.result),
            ("ARGUMENTS", function.parameters.iter().map(|it| write_argument(it, fallback.as_ref())).collect()),
            ("BODY", TokenTree::from(function.body.clone()).into()),
        ],
    );
    Ok(fill(
        "#[inline(never)] HEAD PARAMETERS TAIL BODY",
        &[
            ("HEAD", function.head),
            ("PARAMETERS", group_at(&function.parentheses, function.parameters.iter().map(write_parameter).collect())),
            ("TAIL", function.tail),
            ("BODY", group_at(&function.body, body)),
        ],
    ))
}

/// `tokens` in the place of what `group` encloses.
fn group_at(group: &Group, tokens: TokenStream) -> TokenStream {
    let mut new = Group::new(group.delimiter(), tokens);
    new.set_span(group.span());
    TokenTree::from(new).into()
}

/// A parameter of the new function: a plain name, whatever the pattern was.
fn write_parameter(parameter: &Parameter) -> TokenStream {
    fill(
        "ATTRIBUTES NAME: TYPE,",
        &[
            ("ATTRIBUTES", parameter.attributes.clone()),
            ("NAME", TokenTree::from(parameter.name.clone()).into()),
            ("TYPE", parameter.ty.clone()),
        ],
    )
}

/// The statement that moves an argument into the closure, all of it, and binds it under its pattern.
fn write_argument(parameter: &Parameter, fallback: Option<&TokenStream>) -> TokenStream {
    let in_fallback = fallback.is_some_and(|tokens| function::mentions(tokens, &parameter.name.to_string()));
    let template = if in_fallback {
        "ATTRIBUTES #[allow(unused_variables, reason = \"the fallback uses it\")] let PATTERN = NAME;"
    } else if parameter.is_named {
        // The two lints are about names that begin with an underscore.
        "ATTRIBUTES #[allow(clippy::no_effect_underscore_binding, clippy::used_underscore_binding)] let PATTERN = NAME;"
    } else {
        // A pattern may bind nothing or a part, and a closure takes only what is bound.
        "ATTRIBUTES let NAME = NAME; ATTRIBUTES let PATTERN = NAME;"
    };
    fill(
        template,
        &[
            ("ATTRIBUTES", parameter.attributes.clone()),
            ("PATTERN", parameter.pattern.clone()),
            ("NAME", TokenTree::from(parameter.name.clone()).into()),
        ],
    )
}

/// What C gets instead of a result. Where no fallback is declared, the tokens lie on the return type: the error about a
/// type without a zero points there.
fn write_fallback(declared: Option<&TokenStream>, result: &TokenStream) -> TokenStream {
    match declared {
        Some(value) => fill(
            "::greenbridge::__private::Declared(move || -> RESULT { VALUE })",
            &[("RESULT", result.clone()), ("VALUE", value.clone())],
        ),
        None => {
            let place = result.clone().into_iter().next().map_or_else(Span::call_site, |first| first.span());
            let zero = fill("::greenbridge::__private::Zero", &[]).into_iter().map(|mut token| {
                token.set_span(Span::call_site().located_at(place));
                token
            });
            zero.collect()
        }
    }
}

/// Parses `template` and puts tokens in the place of the names listed in `holes`.
fn fill(template: &str, holes: &[(&str, TokenStream)]) -> TokenStream {
    fill_holes(template.parse().expect("the templates of this file are Rust"), holes)
}

fn fill_holes(template: TokenStream, holes: &[(&str, TokenStream)]) -> TokenStream {
    let fill_token = |token| match token {
        TokenTree::Group(group) => {
            TokenTree::from(Group::new(group.delimiter(), fill_holes(group.stream(), holes))).into()
        }
        TokenTree::Ident(name) => {
            let hole = holes.iter().find(|(hole, _)| name.to_string() == *hole);
            hole.map_or_else(|| TokenTree::Ident(name).into(), |(_, tokens)| tokens.clone())
        }
        other => TokenStream::from(other),
    };
    template.into_iter().map(fill_token).collect()
}
