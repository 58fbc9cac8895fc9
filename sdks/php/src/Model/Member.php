<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/**
 * A person of the account.
 *
 * @property-read ?string $invite_url lets who has it join as that member; set by create alone
 */
final class Member extends Model
{
    protected const SECRETS = ['invite_url'];

    public readonly string $id;
    public readonly string $object;
    public readonly ?string $email;
    public readonly ?string $name;
    /** `owner`, `admin`, `developer` or `viewer`. */
    public readonly string $role;
    /** `invited` or `active`. */
    public readonly string $status;
    public readonly ?DateTimeImmutable $invite_expires_at;
    public readonly DateTimeImmutable $created_at;
}
