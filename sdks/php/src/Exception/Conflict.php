<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 409: it exists already, or its state forbids this. */
final class Conflict extends ConflictError
{
}
