<?php

declare(strict_types=1);

namespace InnoAI\Model;

use DateTimeImmutable;

/**
 * Where events are sent.
 *
 * @property-read ?string $secret signs the deliveries; set by create and rotateSecret alone
 */
final class WebhookEndpoint extends Model
{
    protected const SECRETS = ['secret'];

    public readonly string $id;
    public readonly string $object;
    public readonly string $url;
    /** @var list<string> */
    public readonly array $event_types;
    public readonly ?string $description;
    /** @var array<string, string> their values are never shown */
    public readonly array $headers;
    public readonly bool $disabled;
    /** `gone` or `failing`; null where it was disabled by hand. */
    public readonly ?string $disabled_because;
    public readonly ?DateTimeImmutable $failing_since;
    public readonly ?DateTimeImmutable $previous_secret_expires_at;
    public readonly DateTimeImmutable $created_at;
    public readonly DateTimeImmutable $updated_at;
}
