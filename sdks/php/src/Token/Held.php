<?php

declare(strict_types=1);

namespace InnoAI\Token;

use InnoAI\Model\Token;
use InnoAI\Secret;

/**
 * The current pair of tokens; its moments are monotonic seconds.
 *
 * @internal
 */
final class Held
{
    /** Seconds before expiry at which a token is replaced, at most. */
    private const MOST_MARGIN = 60.0;
    /** The same as a share of the lifetime, for short-lived tokens. */
    private const MARGIN_SHARE = 0.1;

    private function __construct(
        public readonly Secret $accessToken,
        public readonly Secret $refreshToken,
        public readonly float $renewAt,
        public readonly float $expiresAt,
    ) {
    }

    /** The pair that a request sent at `started` brought; its life is counted from there, to be safe. */
    public static function since(float $started, Token $token): self
    {
        $expiresAt = $started + $token->expires_in;
        $margin = min(self::MOST_MARGIN, self::MARGIN_SHARE * $token->expires_in);
        return new self(
            new Secret($token->access_token),
            new Secret($token->refresh_token),
            $expiresAt - $margin,
            $expiresAt,
        );
    }

    /** The same pair, to be replaced at another moment. */
    public function renewedAt(float $moment): self
    {
        return new self($this->accessToken, $this->refreshToken, $moment, $this->expiresAt);
    }
}
