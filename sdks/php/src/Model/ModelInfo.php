<?php

declare(strict_types=1);

namespace InnoAI\Model;

/** A model that the credential may use. */
final class ModelInfo extends Model
{
    public readonly string $id;
    public readonly string $object;
    /** Seconds since the epoch. */
    public readonly ?int $created;
    public readonly ?string $owned_by;
}
