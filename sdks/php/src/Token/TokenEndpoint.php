<?php

declare(strict_types=1);

namespace InnoAI\Token;

use InnoAI\Internal\Call;
use InnoAI\Internal\Credential;
use InnoAI\Internal\Params;
use InnoAI\Internal\Sender;
use InnoAI\Model\Token;
use InnoAI\Secret;

/**
 * Where tokens come from.
 *
 * @internal
 */
final class TokenEndpoint
{
    public function __construct(private readonly Sender $sender)
    {
    }

    public function mint(Grant $grant): Token
    {
        return $this->ask([
            'customer_id' => $grant->customerId,
            'scopes' => $grant->scopes,
            'expires_in' => $grant->expiresIn,
        ]);
    }

    /** @param array<string, mixed> $params */
    public function ask(array $params): Token
    {
        return Token::from($this->sender->object(Call::ask('/auth/token', Params::known($params), Credential::Key)));
    }

    public function refresh(Secret $refreshToken): Token
    {
        $body = ['refresh_token' => $refreshToken->reveal()];
        return Token::from($this->sender->object(Call::ask('/auth/refresh', $body, Credential::None)));
    }
}
