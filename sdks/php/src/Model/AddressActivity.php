<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** Where the key was called from: an address, the network of many, or `other`. */
final class AddressActivity extends Model
{
    public readonly ?string $address;
    public readonly int $allowed;
    public readonly int $refused;
    public readonly \DateTimeImmutable $last_at;
}
