<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 404: no such route or resource. */
final class NotFound extends NotFoundError
{
}
