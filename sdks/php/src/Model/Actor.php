<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Who did it. Of a token `id` is its jti, and `key_id` the key that it came from. */
final class Actor extends Model
{
    public readonly string $kind;
    public readonly ?string $id;
    public readonly ?string $key_id;
    public readonly ?string $customer_id;
}
