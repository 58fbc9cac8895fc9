<?php

declare(strict_types=1);

namespace InnoAI\Token;

/**
 * What is asked of /auth/token.
 *
 * @internal
 */
final class Grant
{
    /**
     * @param list<string>|null $scopes
     * @param int $expiresIn seconds, 60-86,400
     */
    public function __construct(
        public readonly ?string $customerId,
        public readonly ?array $scopes,
        public readonly int $expiresIn,
    ) {
    }
}
