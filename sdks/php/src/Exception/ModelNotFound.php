<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 404: no such model here. */
final class ModelNotFound extends NotFoundError
{
}
