<?php

declare(strict_types=1);

namespace InnoAI;

/** The version of this package, as the User-Agent says it. */
final class Version
{
    public const NUMBER = '0.1.0';
}
