<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** No API key was given, and INNOAI_API_KEY is not set. */
final class MissingApiKey extends InvalidArgument
{
}
