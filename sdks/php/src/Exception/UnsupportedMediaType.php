<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 415: the route does not read this content type. */
final class UnsupportedMediaType extends APIStatusError
{
}
