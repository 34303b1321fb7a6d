//! Which of several statements run: IF, ELSE and blocks.

use sqlparser::tokenizer::Token;

use crate::{
    sql::{Raised, batch::Running, tokens::near},
    world::World,
};

impl World {
    /// IF, and the ELSE that belongs to it.
    pub(super) fn condition(&mut self, running: &mut Running<'_>) -> Result<(), Raised> {
        running.tokens.next();
        let condition = running.tokens.rest_of_statement();
        let holds = self.test(running.session, condition, running.variables)?;
        for wanted in [holds, !holds] {
            if wanted {
                self.inner_statement(running)?;
            } else {
                running.tokens.skip_statement(running.depth)?;
            }
            running.tokens.take(&Token::SemiColon);
            if !running.tokens.take_word(&["ELSE"]) {
                break;
            }
        }
        Ok(())
    }

    /// BEGIN ... END.
    pub(super) fn block(&mut self, running: &mut Running<'_>) -> Result<(), Raised> {
        running.tokens.next();
        while !running.tokens.take_word(&["END"]) {
            if *running.tokens.peek() == Token::EOF {
                return Err(near(running.tokens.peek()).into());
            }
            if !running.tokens.take(&Token::SemiColon) {
                self.inner_statement(running)?;
            }
        }
        Ok(())
    }
}
