<?php

declare(strict_types=1);

namespace InnoAI\Model;

/**
 * A pair of tokens.
 *
 * @property-read string $access_token
 * @property-read string $refresh_token
 */
final class Token extends Model
{
    protected const SECRETS = ['access_token', 'refresh_token'];

    public readonly string $token_type;
    /** Seconds that the access token lives from its minting. */
    public readonly int $expires_in;
}
