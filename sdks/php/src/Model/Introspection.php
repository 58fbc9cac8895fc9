<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** The claims of a token (RFC 7662 §2.2); of a dead one only `active`. */
final class Introspection extends Model
{
    public readonly bool $active;
    /** Scopes, with spaces between. */
    public readonly ?string $scope;
    public readonly ?string $client_id;
    public readonly ?string $sub;
    public readonly ?string $aud;
    public readonly ?string $iss;
    /** Seconds since the epoch. */
    public readonly ?int $exp;
    /** Seconds since the epoch. */
    public readonly ?int $iat;
    public readonly ?string $jti;
    public readonly ?string $token_type;
    public readonly ?string $token_use;
    public readonly ?string $customer_id;
}
