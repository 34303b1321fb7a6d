//! Which of several statements run: IF, ELSE and blocks.

use sqlparser::tokenizer::Token;
use tds::Response;

use crate::{
    sql::{
        Raised, Variables,
        session::SessionId,
        tokens::{Tokens, near},
    },
    world::World,
};

impl World {
    /// IF, and the ELSE that belongs to it.
    pub(super) fn condition(
        &mut self,
        session: SessionId,
        tokens: &mut Tokens,
        variables: &mut Variables,
        answer: &mut Response,
        depth: u32,
    ) -> Result<(), Raised> {
        tokens.next();
        let holds = self.test(session, tokens.rest_of_statement(), variables)?;
        for wanted in [holds, !holds] {
            if wanted {
                self.statement(session, tokens, variables, answer, (depth + 1, false))?;
            } else {
                tokens.skip_statement(depth)?;
            }
            tokens.take(&Token::SemiColon);
            if !tokens.take_word(&["ELSE"]) {
                break;
            }
        }
        Ok(())
    }

    /// BEGIN ... END.
    pub(super) fn block(
        &mut self,
        session: SessionId,
        tokens: &mut Tokens,
        variables: &mut Variables,
        answer: &mut Response,
        depth: u32,
    ) -> Result<(), Raised> {
        tokens.next();
        while !tokens.take_word(&["END"]) {
            if *tokens.peek() == Token::EOF {
                return Err(near(tokens.peek()).into());
            }
            if !tokens.take(&Token::SemiColon) {
                self.statement(session, tokens, variables, answer, (depth + 1, false))?;
            }
        }
        Ok(())
    }
}
